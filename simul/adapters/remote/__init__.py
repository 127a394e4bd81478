"""SimulEval's remote evaluation over HTTP: our session as the agent, and an agent as a model of ours."""
