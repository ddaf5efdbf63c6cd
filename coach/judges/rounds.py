"""What the calls about one answer have brought so far, and what the next one is to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from coach.errors import CoachError
from coach.evidence import locate
from coach.judgement import Abstained, GapStatus, Judged, PointVerdict, RaisedFlag, Usage
from coach.judges.chat import ChatReply
from coach.judges.contradiction import contradiction
from coach.judges.reply import ParsedReply, parse_reply
from coach.models import JudgeTask
from coach.pricing import add_usage

BROKEN_PER_REPAIR = 2
"""Replies in which nothing whole could be read that are sent for again per repair call, without using one up. With one
reply in four broken, seven calls in a row would have to break before a criterion is lost."""
BROKEN_HEAD_START = 4
"""An endpoint breaks replies now and then, or always: beyond this count, only one that breaks fewer than half is sent the
same again. The others get the repair calls and no more."""
_LISTS = "points and red_flags"


class Ask(NamedTuple):
    """What one call asks for."""

    criteria: tuple[str, ...]
    points: tuple[str, ...]
    flags: tuple[str, ...]
    problems: Mapping[str, str]
    """What was wrong with what came before, by name; empty the first time."""


class Rounds:
    """The calls about one group of criteria of one answer.

    Args:
        task: what is judged.
        criteria: ids of this group.
        leads: whether this group also asks for points and red flags.
    """

    def __init__(self, task: JudgeTask, criteria: Sequence[str], *, leads: bool) -> None:
        self.task = task
        self.criteria = tuple(criteria)
        self.verdicts: dict[str, Judged | Abstained] = {}
        self.problems: dict[str, str] = dict.fromkeys(self.criteria, "it has not been judged")
        self.gap: GapStatus = "invalid"
        """Why what is open is open."""
        self.points: dict[str, PointVerdict] = {}
        self.flags: dict[str, RaisedFlag] = {}
        self.usage = Usage()
        self.doubts: dict[str, str] = {}
        """Criterion to what is wrong with a verdict that is kept all the same."""
        self.lists_open = leads and bool(task.question.points or task.rubric.red_flags)
        """Whether points and red flags are still to be read. A reply that broke off may have lost a flag."""
        self._told: set[str] = set()
        """Criteria and flags whose doubt the judge has been told."""
        self._begun = False

    @property
    def open(self) -> tuple[str, ...]:
        """Names of all that is still to be asked for."""
        lists = (_LISTS,) if self.lists_open else ()
        return (*self.problems, *lists, *self._flags_in_doubt())

    def next_ask(self) -> Ask:
        """What to ask for. Each doubt is told once: after that the verdict stands, and the named policy decides."""
        points = tuple(p.id for p in self.task.question.points) if self.lists_open else ()
        flags = tuple(f.id for f in self.task.rubric.red_flags) if self.lists_open else self._flags_in_doubt()
        if not self._begun:
            return Ask(self.criteria, points, flags, {})
        problems = dict(self.problems)
        if self.lists_open:
            problems[_LISTS] = "they did not come whole"
        problems |= dict.fromkeys(
            self._flags_in_doubt(), "none of its quotes stands in the answer: copy letter by letter, or leave it out"
        )
        return Ask(tuple(self.problems), points, flags, problems)

    def take(self, ask: Ask, reply: ChatReply) -> bool:
        """Keep what a reply holds; whether it was broken, for no reason of ours."""
        self._begun = True
        self.usage = add_usage(self.usage, reply.usage)
        self._told |= {*self.doubts, *self._flags_in_doubt()} & ask.problems.keys()
        if reply.finish in {"refusal", "content_filter"}:
            self.gap = "refused"
            said = f"the model refused: {(reply.refusal or reply.finish)[:200]}"
            self.problems = dict.fromkeys(self.problems, said)
            return False
        parsed = parse_reply(
            reply.text, criteria=ask.criteria, points=ask.points, flags=ask.flags, answer=self.task.answer
        )
        self.gap = "truncated" if reply.finish == "length" else "invalid"
        self._keep(parsed)
        if not parsed.broken:
            self.lists_open = False
        return parsed.broken and reply.finish != "length"

    def fail(self, error: CoachError) -> None:
        """Say of all that is open why nothing more came."""
        self._begun = True
        self.usage = add_usage(self.usage, error.usage or Usage())
        match error.status:
            case "unreachable" | "refused" | "over_budget" as status:
                self.gap = status
            case _:
                self.gap = "invalid"
        undecided = [id for id in self.problems if id not in self.verdicts]
        self.problems |= dict.fromkeys(undecided, error.message)

    def gap_of(self, id: str) -> Abstained:
        """A criterion without a verdict, with its reason."""
        return Abstained(criterion_id=id, reason=f"Not judged: {self.problems[id]}.", status=self.gap)

    def warnings(self) -> tuple[str, ...]:
        """What stands although it is in doubt, and what could not be read."""
        found = [
            f"{id}: {doubt}{', also when asked again' if id in self._told else ''}."
            for id, doubt in self.doubts.items()
        ]
        if self.lists_open and self.verdicts:
            found.append("The judge's list of red flags could not be read whole; some may be missing.")
        return tuple(found)

    def _keep(self, parsed: ParsedReply) -> None:
        """Keep what can be used. A doubtful verdict is kept too, and stands if asking again brings nothing better."""
        for declined in parsed.declined:
            id = declined.criterion_id
            self.verdicts[id] = Abstained(criterion_id=id, reason=declined.reason)
            self.problems.pop(id, None)
            self.doubts.pop(id, None)
        for verdict in parsed.judged:
            self._keep_verdict(verdict)
        self.problems |= {id: said for id, said in parsed.problems.items() if id not in self.verdicts}
        for id in parsed.problems.keys() & self.verdicts.keys() & self._told:
            self.problems.pop(id, None)
        self.points |= {p.id: p for p in parsed.points if p.id not in self.points}
        for flag in parsed.red_flags:
            if flag.id not in self.flags or _shown(flag, self.task.answer):
                self.flags[flag.id] = flag

    def _keep_verdict(self, verdict: Judged) -> None:
        id, doubt = verdict.criterion_id, _doubt(verdict, self.task.answer)
        self.verdicts[id] = verdict
        self.problems.pop(id, None)
        self.doubts.pop(id, None)
        if doubt:
            self.doubts[id] = doubt
            if id not in self._told:
                self.problems[id] = doubt

    def _flags_in_doubt(self) -> tuple[str, ...]:
        """Flags raised without words of the answer, of which the judge has not been told yet."""
        return tuple(id for id, f in self.flags.items() if id not in self._told and not _shown(f, self.task.answer))


class CallBudget:
    """How many more calls one group of criteria may cost.

    Args:
        repair_calls: calls beyond the first for what was missing, invalid or doubtful. Broken replies are sent for again
            beside them, at most BROKEN_PER_REPAIR times as often: 0 means one call and no more.
    """

    def __init__(self, repair_calls: int) -> None:
        self._repairs = repair_calls
        self._broken = BROKEN_PER_REPAIR * repair_calls

    def another(self, *, hiccup: bool) -> bool:
        """Whether one more call may be made; `hiccup` after a broken reply of an endpoint that mostly sends whole ones."""
        if hiccup and self._broken:
            self._broken -= 1
            return True
        self._repairs -= 1
        return self._repairs >= 0


class Reliability:
    """Counts whole and broken replies of one endpoint, over all answers."""

    def __init__(self) -> None:
        self._replies = self._broken = 0

    def hiccup(self, *, broken: bool, new: bool = True) -> bool:
        """Whether a reply was broken, and that is an exception here, so that the same is worth asking again.

        Args:
            broken: nothing whole could be read in it.
            new: it is to be counted, as it is not when it is read once more.
        """
        self._replies += new
        self._broken += broken and new
        return broken and 2 * self._broken <= self._replies + BROKEN_HEAD_START


def _shown(flag: RaisedFlag, answer: str) -> bool:
    return any(locate(e.quote, answer) for e in flag.evidence)


def _doubt(verdict: Judged, answer: str) -> str | None:
    """Why a verdict is worth asking again, or None."""
    if verdict.level > 0:
        if not verdict.evidence:
            return "it has a level above 0 without a quote"
        if not any(locate(e.quote, answer) for e in verdict.evidence):
            return f"none of its quotes stands in the answer, e.g. “{verdict.evidence[0].quote[:80]}”: copy letter by letter"
    return contradiction(verdict)
