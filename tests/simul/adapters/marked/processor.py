"""The simulstream processor with the model of the tests; simulstream's own processes import it."""

from simul.adapters.simulstream_processor import SimulProcessor
from tests.simul.adapters.marked import backend as marked_backend


class MarkedProcessor(SimulProcessor):
    """Serves `MarkedBackend`."""

    load_backend = staticmethod(marked_backend.load)
