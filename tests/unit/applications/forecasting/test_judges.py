"""What would choose by the validation part where that is learned from."""

import pytest
from pydantic import ValidationError

from deeprc.applications.forecasting.config import ForecastingConfig, TrainConfig


def test_the_configuration_refuses_them_all_at_once():
    training = {"optimisation": {"validations": 5, "patience": 2}}
    with pytest.raises(ValidationError) as error:
        ForecastingConfig(models={"NHITS": {"validations": 4}, "GRU": {}}, with_validation=True, training=training)
    assert (
        "with_validation: the validation part is learned from, and can judge nothing: leave out "
        "models.NHITS.validations (4), training.optimisation.validations (5), training.optimisation.patience (2)"
    ) in str(error.value)


@pytest.mark.parametrize("own", [{"patience": 1}, {"halving": {"first": 1, "factor": 2, "sweep": "a"}}])
def test_a_stage_refuses_what_would_judge_by_the_part_that_it_learns_from(own):
    """It trained on, and never asked them."""
    usual = {"steps": 10, "learning_rate": 0.01, "batch_size": 8}
    with pytest.raises(ValidationError, match="the validation part is learned from, and can judge nothing"):
        TrainConfig(**usual, with_validation=True, optimisation=own)
    TrainConfig(**usual, with_validation=True, optimisation={"validations": 2})
    TrainConfig(**usual, optimisation=own)
