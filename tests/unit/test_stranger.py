"""The second user of the tests is one: else every test that an attack fails would pass for nothing."""

import pytest

CODE = """
print(os.getuid(), os.getgroups(), zmq.zmq_version_info()[0])
try:
    open(sys.argv[1])
except PermissionError:
    print('no')
"""


@pytest.mark.requires("root")
def test_a_stranger_has_no_right_to_our_files(stranger, tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    assert stranger.run(CODE, tmp_path / "secret", modules=("zmq",)) == "64023 [] 4\nno\n"
