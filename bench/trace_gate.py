"""What the trace gate finds of planted faults, kind by kind, and what it takes of honest traces.

    python bench/trace_gate.py [--benchmarks DIR] [--good 4000] [--bad 300] [--seed 0] [--show 3]

The honest traces are made of MATH and GSM8K solutions where DIR has them, else of problems made here. Prints recall per
kind of fault with the reasons given, false alarms per kind of honest trace, and the speed on traces of 1 MB.
"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from etalon.data.traces import Fault, fault
from trace_cases import BAD, Case, from_benchmarks, good, reasoned, template_loop, worked


def found(case: Case) -> Fault | None:
    return fault(
        case.response, prompt=case.prompt, answer=case.answer, domain=case.domain, is_complete=case.is_complete
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--benchmarks", type=Path)
    parser.add_argument("--good", type=int, default=4000)
    parser.add_argument("--bad", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=3)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    sources = from_benchmarks(chosen.benchmarks) if chosen.benchmarks else [worked(rng) for _ in range(500)]
    print(f"{'kind of fault':20} {'cases':>6} {'found':>7}   reasons given")
    for maker in BAD:
        cases = [maker(rng, sources) for _ in range(chosen.bad)]
        reasons: Counter[str] = Counter()
        for case in cases:
            why = found(case)
            reasons[why.kind if why else ""] += 1
            if why is None and reasons[""] <= chosen.show:
                print("   missed:", repr(case.response[:60]), "...", repr(case.response[-160:]))
        missed = reasons.pop("", 0)
        told = ", ".join(f"{kind} {count}" for kind, count in reasons.most_common(5))
        print(f"{cases[0].kind:20} {len(cases):6} {1 - missed / len(cases):7.1%}   {told}")
    totals: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for case in good(rng, sources, chosen.good):
        totals[case.kind] += 1
        if (why := found(case)) is not None:
            lost[case.kind] += 1
            if lost[case.kind] <= chosen.show:
                print("   lost:", case.kind, why)
    for kind, count in totals.most_common():
        print(f"{'honest: ' + kind:20} {count:6} {lost[kind] / count:7.2%} lost")
    print(f"{'honest: all':20} {totals.total():6} {lost.total() / totals.total():7.2%} lost")
    for name, text in (("honest", reasoned(rng, sources).response), ("loop", template_loop(rng, sources).response)):
        long = " ".join(reasoned(rng, sources).response.replace("think>", "em>") for _ in range(500))[:1_000_000]
        text = long if name == "honest" else text * (1_000_000 // len(text) + 1)
        started = time.process_time()
        why = fault(text[:1_000_000])
        print(
            f"{name}, {len(text[:1_000_000]):,} characters: {time.process_time() - started:.2f} s of CPU,"
            f" {why and why.kind}"
        )


if __name__ == "__main__":
    main()
