"""The benchmarks of trainings with a stored log."""

from __future__ import annotations

import of_accuracy
import of_trainings
from benchmark import Benchmark, Log

TRAININGS = [
    Benchmark(
        "resume", "What a kill costs a training",
        "One network by several libraries, killed by `kill -9` after the same steps, and gone on with.",
        "[learning.md](learning.md#what-a-kill-costs)", of_trainings.resume,
        [Log("resume.json", ["deeprc bench resume --kills 20"], 900)],
    ),
    Benchmark(
        "checkpoint", "What a checkpoint costs",
        "The state of ranks that compute on all cores, saved synchronously and beside their steps. A step's ratio is"
        " that of the medians while one is written and around it: median and quartiles over nine saves.",
        "[learning.md](learning.md#checkpoints)", of_trainings.checkpoint,
        [Log("checkpoint.json", ["deeprc bench checkpoint"], 45)],
    ),
    Benchmark(
        "step", "What the loop adds to a step",
        "Networks on windows of mapped files, by our loop and, in turns, by a plain loop on tensors in memory, on one"
        " thread.",
        "[learning.md](learning.md#data-without-a-copy)", of_trainings.step,
        [Log("step.json", ["deeprc bench step"], 30, quick=True)],
    ),
    Benchmark(
        "training", "Trainings beside NeuralForecast, on ranks",
        "Models of NeuralForecast on made-up series of ETT's size, 256 windows a step, on one thread. The pipeline's"
        " training beside `NeuralForecast.fit` of the same class with the same options: in turns, each in a process of"
        " its own that has everything imported, from a fresh network. Neither validates, saves or is told a calendar;"
        " counted is from the first step to the last (of ours with the optimiser's making, too), and in brackets from"
        " the building of the network on. NeuralForecast keeps its own optimiser (Adam; ours is AdamW, and clips"
        " gradients, too). On ranks: steps of the same training, 256 windows for each rank, beside one rank by itself;"
        " and of either mode.",
        "[learning.md](learning.md#what-ranks-gain-in-pytorch)", of_trainings.training,
        [Log("training.json", ["deeprc bench training"], 120)],
    ),
    Benchmark(
        "tensorflow", "What ranks gain in TensorFlow",
        "An LSTM on windows of a year: one rank by itself and all together, in turns, by the sum over MPI that"
        " trainings use and by TensorFlow's own strategy.",
        "[learning.md](learning.md#what-ranks-gain-in-tensorflow)", of_trainings.tensorflow,
        [Log("tensorflow.json", ["deeprc bench tensorflow --steps 6"], 80)],
    ),
    Benchmark(
        "synchronisation", "Ways of synchronisation",
        "Ranks of this machine, as if every two of them were a node: steps are measured, bytes counted, and what slower"
        " networks would add is **modelled** from both. Times are of one repeat, of four ranks on two cores.",
        "[synchronisation.md](synchronisation.md#measured-and-modelled)", of_trainings.synchronisation,
        [Log("synchronisation.json", ["deeprc bench synchronisation --repeats 1"], 160)],
    ),
    Benchmark(
        "accuracy", "Forecasts beside published ones",
        "ETTh1: errors of models of the zoo, trained by the pipeline's own stages, beside what was published. Hours:"
        " `deeprc bench accuracy --data ETTh1.csv --json`.",
        "[forecasting.md](forecasting.md#beside-published-figures)", of_accuracy.accuracy,
        [Log("../accuracy-etth1.json")],
    ),
    Benchmark(
        "basins", "One network for all basins",
        "Basins of CAMELS-US: one network for all of them, one for each, and two references. Minutes, with its data:"
        " `deeprc bench basins --data camels_us --json`.",
        "[hydrology.md](hydrology.md#what-camels-us-reaches-one-network-for-all-or-one-for-each)", of_accuracy.basins,
        [Log("../camels-us.json")],
    ),
    Benchmark(
        "rivers", "The demo's rivers",
        "Hydrology's demo: NSE and KGE of networks of several seeds, and of the published one, on the test part.",
        "[hydrology.md](hydrology.md#what-the-demo-reaches)", of_accuracy.rivers,
        [
            Log(
                "hydrology-demo.json",
                [*(f"deeprc bench basins --seed {seed}" for seed in (1, 2, 3)),
                 "deeprc bench basins --variant paper --basin fulda"],
                1200, several=True,
            )
        ],
    ),
]  # fmt: skip
