"""How fast models learn, beside NeuralForecast's own `fit` and on ranks: `deeprc bench training`."""
