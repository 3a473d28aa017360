"""Programs that train one and the same network, one for each library.

Those of others run in a Python of their own, which knows nothing of Deep RC: they import `task`, beside them, by its
bare name.
"""
