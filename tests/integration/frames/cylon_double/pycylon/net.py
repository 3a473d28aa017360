"""See `pycylon`: this is not Cylon."""


class MPIConfig:
    def __init__(self, comm):
        self.comm = comm
