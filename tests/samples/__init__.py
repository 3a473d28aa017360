"""Made-up inputs that unit and integration tests share."""
