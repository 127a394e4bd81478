"""The SimulEval agent with the model of the tests; SimulEval's own process imports it."""

from simul.adapters.simuleval_agent import SimulAgent
from tests.simul.adapters.marked import backend as marked_backend


class MarkedAgent(SimulAgent):
    """Serves `MarkedBackend`."""

    load_backend = staticmethod(marked_backend.load)
