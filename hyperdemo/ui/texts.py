"""Words that both tabs share: what pretraining buys, as measured, and times taken."""

from __future__ import annotations

from hyperdemo.results.measured import METRICS, TaskEvidence

_TOLD = {"view": ("psnr", "ssim"), "sound": ("stoi", "si_snr", "pesq", "lsd")}
UNNOTICED = {"view": "one sees", "sound": "one hears"}
_THINGS = {"view": "objects that no training saw", "sound": "prompts that no training heard"}


def headline(evidence: TaskEvidence | None) -> str:
    """What pretraining buys on held-out data, as Markdown; "" if it was not measured.

    Who is ahead is told from differences one by one, of more than two standard errors.
    """
    pair = [evidence.answers.get(n, {}).get("test") for n in ("foundation", "scratch")] if (
        evidence
    ) else []  # fmt: skip
    if not evidence or None in pair:
        return ""
    told, ahead, first_of, noticed = [], set(), "", False
    for metric in METRICS[evidence.task]:
        found = evidence.paired.get("test", {}).get(metric.key)
        if metric.key not in _TOLD[evidence.task] or found is None or found.stderr is None:
            continue
        unit = f" {metric.unit}" if metric.unit else ""
        values = [metric.text(one.values[metric.key]) for one in pair]
        lower = "" if metric.higher else ", lower is better"
        told.append(f"{metric.name} {values[0]} against {values[1]}{unit}{lower}")
        if not float(metric.text(abs(found.mean))):  # what rounds to 0 says nothing
            continue
        ahead.add(found.ahead(higher=metric.higher))
        if metric.noticed is None or abs(found.mean) >= metric.noticed:
            noticed = True
        first_of = first_of or (
            f"{metric.text(found.mean)} ± {metric.text(found.stderr)}{unit} of {metric.name}, "
            f"better on {found.better} of {found.n}"
        )
    if not told:
        return ""
    verdict = {
        (): "no clear difference",
        (1,): f"pretraining is ahead ({first_of})",
        (-1,): f"training from scratch is ahead ({first_of})",
    }.get(tuple(sorted(ahead - {0})), "neither is ahead by every metric")
    if any(ahead) and not noticed:
        both = {1, -1} <= ahead
        verdict += ", and what differs is" if both else ", but by"
        verdict += f" less than {UNNOTICED[evidence.task]}"
    return (
        f"Measured on {pair[0].n} {_THINGS[evidence.task]}, pretrained against from scratch: "
        f"{'; '.join(told)}. **In all, {verdict}.**"
    )


def seconds_words(taken_s: float | None) -> str:
    """A stage's time for a table; what a cache answered does not read as 0.00 s."""
    if taken_s is None:
        return "–"
    return f"{taken_s:.2f} s" if taken_s >= 0.01 else "under 0.01 s"
