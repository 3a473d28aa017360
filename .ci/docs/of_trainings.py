"""The sections of docs/benchmarks.md on trainings: a table, bars, and targets with what was found."""

from __future__ import annotations

from typing import Any

from section import Section, Verdict, at_least, at_most, seconds, spread

from deeprc.bench.chart import Bar, bars, rounded, written

# Wanted: a step of ours at most so many times one of the plain loop; windows on two ranks over those on one.
STEP, RANKS = 1.05, 1.35
# Of a checkpoint: the part of a synchronous save that blocks, steps meanwhile, memory beside a copy of the state.
BLOCKED, WRITING, COPY = 0.10, 1.03, 1.05
NETWORKS = {"linear": "a linear layer", "mlp": "an MLP", "lstm": "an LSTM"}
# Windows a second over NeuralForecast's, of its MLP alone: of others most of a step is the network's own computation.
# Of an LSTM, on two ranks over one; and a step of elastic over one of fixed.
FIT, RANKS_OF_LSTM, ELASTIC = 6.0, 1.5, 1.15
WAYS = {"mpi": "the sum over MPI", "strategy": "MultiWorkerMirroredStrategy"}


def resume(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    engines = {name: each for name, each in told.items() if isinstance(each, dict) and "lost" in each}
    rows = [
        [
            f"`{name}`", str(each["kills"]), str(each["lost"]), str(each["replayed"]),
            "yes" if each["weights_equal"] else "no", str(each["steps_undone"]),
            seconds(each["seconds_lost"], 0), seconds(each["seconds_to_start"]),
        ]
        for name, each in engines.items()
    ]  # fmt: skip
    shown = [Bar(name, each["seconds_lost"], ours=name.startswith("deeprc")) for name, each in engines.items()]
    verdicts = [
        Verdict(
            f"`{name}`: samples lost, replayed: none; weights equal",
            f"{each['lost']}, {each['replayed']}; {'equal' if each['weights_equal'] else 'not equal'}",
            (each["lost"], each["replayed"], each["weights_equal"]) == (0, 0, True),
        )
        for name, each in engines.items()
        if name.startswith("deeprc")
    ]
    head = ["", "kills", "samples lost", "replayed", "weights equal", "steps done again", "lost", "of which a start"]
    return Section(head, rows, verdicts, bars(f"Seconds that {told['kills']} kills cost", shown, " s"))


def step(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    rows, shown, verdicts = [], [], []
    for key, each in told["networks"].items():
        name, took = NETWORKS[key], each["step_ms"]
        rows.append(
            [
                name, f"{each['parameters']:,}", f"{rounded(took['ours'], 1)} ms", f"{rounded(took['plain'], 1)} ms",
                written(each["ratio"]), written(each["cpu_ratio"]),
            ]
        )  # fmt: skip
        wanted = None if key == "linear" else STEP
        shown.append(Bar(name, each["ratio"], wanted=wanted))
        verdicts += [at_most(f"a step of {name}, times that of a plain loop", wanted, each["ratio"])] if wanted else []
    head = ["network", "weights", "a step of ours", "of a plain loop", "times its time", "times its CPU"]
    return Section(head, rows, verdicts, bars("A step of ours over one of a plain loop", shown))


def checkpoint(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    blocked, took, ratio = told["blocked_ms"], told["step_ms"], told["step_ratio"]
    rows = [
        [
            f"{told['mb']} MB, {told['ranks']} ranks", f"{rounded(blocked['async'], 1)} ms",
            f"{rounded(blocked['sync'], 0)} ms", f"{rounded(took['idle'], 1)} ms", f"{rounded(took['writing'], 1)} ms",
            spread(ratio), f"{told['extra_mb']} MB",
        ]
    ]  # fmt: skip
    part = blocked["async"] / blocked["sync"]
    verdicts = [
        at_most("time that a save blocks, times that of a synchronous one", BLOCKED, part),
        at_most("a step while a checkpoint is written, times another", WRITING, ratio["median"]),
        at_most("memory added, times the state", COPY, told["extra_mb"] / told["mb"]),
    ]
    shown = [
        Bar("blocks, over a synchronous save", part, wanted=BLOCKED),
        Bar("a step meanwhile, over another", ratio["median"], ratio["low"], ratio["high"], wanted=WRITING),
    ]
    head = ["state", "a save blocks", "a synchronous one", "a step", "while one is written", "times", "memory added"]
    return Section(head, rows, verdicts, bars("What a checkpoint costs", shown))


def training(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    ranks, rows, shown, verdicts = told["ranks"], [], [], []
    for name, each in told["fit"].items():
        ours, theirs = each["deeprc"]["windows_per_second"], each["neuralforecast"]["windows_per_second"]
        what, wanted = f"{name}, times NeuralForecast's windows a second", FIT if name == "MLP" else None
        whole = written(each["whole_ratio"]["median"])
        rows.append([what, f"{written(ours)}/s", f"{written(theirs)}/s", f"{spread(each['ratio'])} [{whole}]"])
        shown.append((what, each["ratio"], wanted))
        verdicts += [at_least(what, wanted, each["ratio"]["median"])] if wanted else []
    for name, each in told["gain"].items():
        one, all_ = each["windows_per_second"].values()
        what, wanted = f"{name}, {ranks} ranks: times one rank's windows", RANKS_OF_LSTM if name == "LSTM" else None
        rows.append([what, f"{written(all_)}/s", f"{written(one)}/s", spread(each["ratio"])])
        shown.append((what, each["ratio"], wanted))
        verdicts += [at_least(what, wanted, each["ratio"]["median"])] if wanted else []
    for name, each in told["modes"].items():
        what, took = f"{name}, {ranks} ranks: elastic over fixed", each["step_ms"]
        places = [f"{rounded(took[mode], 1)} ms" for mode in ("elastic", "fixed")]
        rows.append([what, *places, spread(each["ratio"])])
        shown.append((what, each["ratio"], ELASTIC))
        verdicts.append(at_most(f"{what}, times its step", ELASTIC, each["ratio"]["median"]))
    drawn = [Bar(what, ratio["median"], ratio["low"], ratio["high"], wanted=wanted) for what, ratio, wanted in shown]
    head = ["", "ours", "beside", "ratio (quartiles) [with all around it]"]
    return Section(head, rows, verdicts, bars("Trainings in PyTorch (median, quartiles)", drawn))


def tensorflow(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    rows, shown = [], []
    for way, each in told["ways"].items():
        counts = [written(number) for number in each["windows_per_second"].values()]
        rows.append([WAYS[way], *counts, written(each["ratio"])])
        ours = way == "mpi"
        shown.append(Bar(WAYS[way], each["ratio"], ours=ours, wanted=RANKS if ours else None))
    found = told["ways"]["mpi"]["ratio"]
    verdict = at_least(f"windows a second on {told['ranks']} ranks, times those of one", RANKS, found)
    head = ["gradients by", "windows/s, one rank", f"{told['ranks']} ranks", "times as many"]
    return Section(head, rows, [verdict], bars(f"Windows a second on {told['ranks']} ranks over one's", shown))


def synchronisation(logs: dict[str, Any]) -> Section:
    (told,) = logs.values()
    kinds, networks = told["kinds"], [*next(iter(told["kinds"].values()))["modelled_step_ms"]]
    rows = [
        [
            f"`{kind}`", rounded(each["across"] / 1000, 0), rounded(each["rounds"], 2),
            rounded(each["validation_loss"], 4), rounded(each["step_ms"], 0),
            *(rounded(each["modelled_step_ms"][network], 0) for network in networks),
        ]
        for kind, each in kinds.items()
    ]  # fmt: skip
    slow = networks[-1]
    shown = [
        Bar(f"{kind}, {where}", value, ours=where == "here")
        for kind, each in kinds.items()
        for where, value in (("here", each["step_ms"]), (slow, each["modelled_step_ms"][slow]))
    ]
    head = ["kind", "kB across, per step", "rounds per step", "loss", "step here, ms"]
    head += [network.replace(" us", " µs") for network in networks]
    return Section(head, rows, [], bars("A step, measured here and modelled over a slow network", shown, " ms"))
