"""Finds the smallest changes that would pass.

Nothing is suggested on the strength of one rule: a lower discount raises the contract value and may trip a
rule on size. So every change is judged by the whole policy, and only what was seen to help is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from dealdesk.domain.changes import Changes
from dealdesk.domain.compiled import Breach
from dealdesk.domain.decision import Counterfactual, FxRate, Joint, Lever, Outcome
from dealdesk.domain.judging import Begun, Judged, Verdict, begun, finished, judge
from dealdesk.domain.measures import WHOLE, Terms
from dealdesk.domain.moves import CAP, VALUE, Capped, Move, Moves, apply_moves, grown, merged, moves_any
from dealdesk.domain.policy import Policy
from dealdesk.domain.rules import LimitTable, Rule, Unknown
from dealdesk.domain.suggestions import asks_for_price, moves_for

MAX_TRIALS, LEAST_TRIALS, MAX_LINES_JUDGED = 48, 8, 1_600
"""How many changed quotes are judged: a bound on time, whatever the policy. A long quote gets fewer of them, so that
less may be found for it, but what is found was judged like everything else."""
SLIGHTLY_MORE = (1, 2, 3, 7, 19, 53)
HAIRS = (1, 2, 5)  # basis points

_Rank = tuple[int, int]
_Row = tuple[str, int, tuple[int, ...]]
Hope = Callable[[list[Breach]], bool]
"""Whether what is violated on the whole deal leaves hope, so that the lines need not be asked where it does not."""


def find_counterfactual(standing: Judged, policy: Policy, rate: FxRate | None) -> Counterfactual:
    """The levers that help alone, and the fewest of them that together reach the best outcome in reach."""
    verdict = standing.verdict
    missing = any(isinstance(breach.rule.test, Unknown) for breach in verdict.breaches)
    if missing or verdict.outcome is Outcome.AUTO_APPROVE:
        return Counterfactual()
    search = _Search(standing, policy, rate)
    joint = search.joint()
    return Counterfactual(search.levers(), joint)


class _Search:
    """One search: the quote as it stands, and a purse of trials."""

    def __init__(self, standing: Judged, policy: Policy, rate: FxRate | None) -> None:
        self._standing = standing
        self._terms, self._before = standing.terms, standing.verdict
        self._policy = policy
        self._rate = rate
        self._may_grow = any(
            isinstance(test := breach.rule.test, LimitTable) and (test.fact.name, test.op) == (VALUE, "min")
            for breach in self._before.breaches
        )
        self._seen: dict[Moves, Judged] = {(): standing}
        self._begun: dict[Moves, Begun] = {}
        self._thought_of: dict[_Row, tuple[Move, ...]] = {}
        self._purse = max(min(MAX_TRIALS, MAX_LINES_JUDGED // len(self._terms.lines)), LEAST_TRIALS)
        self._latest = standing
        self._capped = Capped()
        self._priced: dict[int, Judged] = {id(standing.terms.lines): standing}
        self._hopeful: dict[str, bool] = {}
        self._stays: dict[str, frozenset[int]] = {}
        self._all = frozenset(range(len(self._before.breaches)))
        self._changes = Changes(standing, policy.currency)

    def levers(self) -> tuple[Lever, ...]:
        """Single changes that better the outcome; of those that reach the same, the smallest."""
        found: dict[Move, Verdict] = {}
        for breaches in _grouped(self._before.breaches):
            if self._is_spent():
                break
            rule, cleared = breaches[0].rule, set[tuple[str, ...] | None]()
            if asks_for_price(rule) and not self._can_better(CAP):
                continue
            for move in self._moves_for(breaches, self._terms):
                # A lower cap on the same lines only gives up more.
                if (move.lever == CAP and move.lines in cleared) or not self._can_better(move.lever):
                    continue
                verdict = self._try((move,), self._leaves_hope)
                if verdict is not None and self._better(verdict) and self._is_steady((move,), verdict):
                    found[move] = verdict
                if move.lever == CAP and self._clears(rule, (move,)):
                    cleared.add(move.lines)
        pairs = list(found.items())
        kept = [pair for pair in pairs if not any(self._makes_needless(other, pair) for other in pairs)]
        return tuple(self._lever(move, verdict) for move, verdict in kept)

    def _can_better(self, lever: str) -> bool:
        """Whether the rules that read nothing of what the lever moves leave room for a better outcome."""
        if lever not in self._hopeful:
            self._hopeful[lever] = self._leaves_hope(self._before.breaches[at] for at in self._untouched(lever))
        return self._hopeful[lever]

    def _untouched(self, lever: str) -> frozenset[int]:
        """The violations, by their place, that stay because their rules read nothing that the lever moves."""
        if lever not in self._stays:
            reads = self._policy.programme.written.reads
            stays = [at for at, x in enumerate(self._before.breaches) if not moves_any(lever, reads[x.rule.id])]
            self._stays[lever] = frozenset(stays)
        return self._stays[lever]

    def _least_rank(self, moves: Moves) -> _Rank:
        """A rank that the changed quote cannot be better than."""
        stays = self._all.intersection(*[self._untouched(move.lever) for move in moves])
        steps = {self._before.breaches[at].rule.step for at in stays}
        if None in steps:
            return Outcome.BLOCKED.severity, 0
        return (Outcome.NEEDS_APPROVAL if steps else Outcome.AUTO_APPROVE).severity, len(steps)

    def _leaves_hope(self, breaches: Iterable[Breach]) -> bool:
        """Whether the outcome can be better where at least these rules are violated."""
        steps = {breach.rule.step for breach in breaches}
        if None in steps:
            return False
        return self._before.outcome is Outcome.BLOCKED or self._fewer_to_ask(frozenset(filter(None, steps)))

    def _clears(self, rule: Rule, moves: Moves) -> bool:
        """Whether the changed quote is known to keep to the rule."""
        if moves in self._seen:
            return all(breach.rule is not rule for breach in self._seen[moves].verdict.breaches)
        known = not rule.at_line and moves in self._begun
        return known and all(breach.rule is not rule for breach in self._begun[moves].breaches)

    def _moves_for(self, breaches: list[Breach], terms: Terms) -> Iterable[Move]:
        """What to try against the breaches of one row; for the quote as it stands it is thought of once."""
        if terms is not self._terms:
            return moves_for(breaches[0], breaches, terms, self._policy, self._rate)
        row = _row(breaches[0])
        if row not in self._thought_of:
            self._thought_of[row] = tuple(moves_for(breaches[0], breaches, terms, self._policy, self._rate))
        return self._thought_of[row]

    def joint(self) -> Joint | None:
        """Clears rule after rule, each time judging the whole, then drops what was not needed."""
        moves: Moves = ()
        stuck: set[_Row] = set()
        for _ in range(len(self._before.breaches) + 4):
            further = self._clear_one_more(moves, stuck)
            if further is None:
                break
            moves = further
        moves = self._at_any_size(moves)
        best = self._seen[moves].verdict
        if not self._better(best):
            return None
        for move in moves:
            fewer = tuple(other for other in moves if other != move)
            if self._least_rank(fewer) > _rank(best):
                continue
            verdict = self._try(fewer)
            if verdict is not None and _rank(verdict) <= _rank(best) and self._is_steady(fewer, verdict):
                moves, best = fewer, verdict
        ordered = tuple(x for stage in self._policy.route_for(best.steps) for x in stage.steps)
        return Joint(tuple(self._changes.of(move) for move in moves), best.outcome, ordered)

    def _clear_one_more(self, moves: Moves, stuck: set[_Row]) -> Moves | None:
        """The moves with one more that clears a rule; what no move cleared so far is tried again last."""
        terms, verdict, _ = self._seen[moves]
        before = _keys(verdict.breaches)
        for breaches in sorted(_grouped(verdict.breaches), key=lambda group: _row(group[0]) in stuck):
            if self._is_spent():
                return None
            highest: dict[tuple[str, ...] | None, int] = {}
            for move in self._steadiest_first(self._moves_for(breaches, terms)):
                # A cap that clears the rule and still does not help helps no more where it is lower.
                if move.lever == CAP and int(move.to) < highest.get(move.lines, 0):
                    continue
                trial = merged(moves, self._steadied(move))
                after = self._try(trial, lambda found: _keys(found) <= before)
                if after is not None and _keys(after.breaches) < before:
                    return trial
                if move.lever == CAP and self._clears(breaches[0].rule, trial):
                    highest[move.lines] = int(move.to)
            stuck.add(_row(breaches[0]))
        return None

    def _steadiest_first(self, moves: Iterable[Move]) -> list[Move]:
        """Where the quote may have to grow, the lowest cap first: a higher one may pass only as this size rounds."""
        ordered = list(moves)
        if self._may_grow:
            ordered.sort(key=lambda move: int(move.to) if move.lever == CAP else WHOLE)
        return ordered

    def _is_steady(self, moves: Moves, reached: Verdict) -> bool:
        """Whether growth to slightly other sizes reaches as much: what hangs on how a size rounds is no advice."""
        growth = next((move for move in moves if move.lever == VALUE), None)
        if growth is None:
            return True
        currency, others = self._policy.currency, tuple(move for move in moves if move is not growth)
        small = apply_moves(self._terms, others, currency, self._rate, self._capped)
        sizes = (grown(small, int(growth.to) + more, currency, self._rate) for more in SLIGHTLY_MORE)
        worst, enough = _with_costs_rounded_up(self._seen[moves].terms), _rank(reached)
        return all(_rank(judge(terms, self._policy, self._rate)) <= enough for terms in chain((worst,), sizes))

    def _at_any_size(self, moves: Moves) -> Moves:
        """The moves, with caps a hair lower where they would reach as much at some sizes only; else none."""
        for hair in (0, *HAIRS):
            lower = tuple(m._replace(to=max(int(m.to) - hair, 0)) if m.lever == CAP else m for m in moves)
            verdict = self._try(lower)
            if verdict is None:
                break
            if _rank(verdict) <= _rank(self._seen[moves].verdict) and self._is_steady(lower, verdict):
                return lower
        return ()

    def _steadied(self, move: Move) -> Move:
        """A cap a hair lower where the quote may also have to grow: at another size it rounds differently."""
        if move.lever != CAP or not self._may_grow or int(move.to) % 100 == 0:
            return move
        return move._replace(to=max(int(move.to) - 1, 0))

    def _try(self, moves: Moves, is_hopeful: Hope | None = None) -> Verdict | None:
        """The verdict on the changed quote; None when the purse is empty, or the rules on the deal leave no hope."""
        if moves not in self._seen:
            if moves not in self._begun:
                if self._is_spent():
                    return None
                terms = apply_moves(self._terms, moves, self._policy.currency, self._rate, self._capped)
                like = self._priced.get(id(terms.lines)) or self._seen.get(moves[:-1], self._latest)
                if like.terms == terms:
                    self._seen[moves] = like
                    return like.verdict
                self._begun[moves] = begun(terms, self._policy, self._rate, like)
            trial = self._begun[moves]
            if is_hopeful is not None and not is_hopeful(trial.breaches):
                return None
            self._latest = self._seen[moves] = judged = finished(trial, self._policy)
            self._priced.setdefault(id(trial.terms.lines), judged)
        return self._seen[moves].verdict

    def _is_spent(self) -> bool:
        return len(self._begun) >= self._purse

    def _better(self, after: Verdict) -> bool:
        """A milder outcome, or the same one with fewer people to ask and nobody new."""
        if after.outcome is self._before.outcome:
            return self._fewer_to_ask(after.steps)
        return after.outcome.severity < self._before.outcome.severity

    def _fewer_to_ask(self, steps: frozenset[str]) -> bool:
        before, asked = self._before.steps, self._policy.asked
        return steps < before and asked(steps) != asked(before)

    def _makes_needless(self, other: tuple[Move, Verdict], pair: tuple[Move, Verdict]) -> bool:
        """Whether the other reaches as much on the same lever with a smaller change."""
        (move, verdict), (other_move, other_verdict) = pair, other
        if (move.lever, move.lines) != (other_move.lever, other_move.lines) or move.to == other_move.to:
            return False
        if _rank(other_verdict) > _rank(verdict):
            return False
        distance, other_distance = self._changes.distance(move), self._changes.distance(other_move)
        return other_distance < distance or (other_distance == distance and str(other_move.to) < str(move.to))

    def _lever(self, move: Move, verdict: Verdict) -> Lever:
        after = {breach.rule.id for breach in verdict.breaches}
        cleared = dict.fromkeys(b.rule.id for b in self._before.breaches if b.rule.id not in after)
        return Lever(self._changes.of(move), tuple(cleared), verdict.outcome)


def _with_costs_rounded_up(terms: Terms) -> Terms:
    """The least margin that rounding could leave: on each line a minor unit for its cost, and one for its price."""
    lines = (x if x.cost_minor is None else x._replace(cost_minor=x.cost_minor + 2) for x in terms.lines)
    return terms._replace(lines=tuple(lines))


def _grouped(breaches: tuple[Breach, ...]) -> list[list[Breach]]:
    """The breaches of one row on several lines together, in the policy's order; a group of lines stays by itself."""
    groups: dict[_Row, list[Breach]] = {}
    for breach in breaches:
        groups.setdefault(_row(breach), []).append(breach)
    return list(groups.values())


def _row(breach: Breach) -> _Row:
    return breach.rule.id, breach.row, breach.group


def _keys(breaches: Iterable[Breach]) -> set[tuple[str, int | None, tuple[int, ...]]]:
    return {(rule.id, line, group) for rule, _, line, group in breaches}


def _rank(verdict: Verdict) -> _Rank:
    return verdict.outcome.severity, len(verdict.steps)
