"""One run: deals in rough weather, then calm until nothing moves, then what was found."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.edge import aws
from dealdesk.edge.reactions import Silence, parse_message
from dealdesk.errors import DealUnknown
from local import build, stack
from operate import dead_letters
from operate.installation import Installation, on_this_machine
from tests.chaos.cast import Cast
from tests.chaos.findings import all_findings, is_over, refused, whom_it_waits_for
from tests.chaos.mischief import Mischief
from tests.chaos.plan import SENDERS, plan
from tests.chaos.restart import STATE, forget

PAUSE_SECONDS = 0.3
# A customer who signs at once would heal an answer that was lost, by the webhook, before the desk asks again.
PEOPLE_SECONDS = 5.0
# The schedule ticks once a minute; an hour of a desk passes in minutes here, so it ticks more often.
TICK_SECONDS = 6.0
# Queues give up sooner than in template.yaml, so that there are dead letters; a killed worker's messages come back as
# soon as its leases have ended.
RECEIVES, VISIBILITY_SECONDS = 5, 80
REST_SECONDS = 720.0
CLIENTS = ("dynamodb", "events", "lambda", "secretsmanager", "sqs")
QUIET_LOOKS, LOOK_SECONDS = 3, 1.5
REDRIVES = 4


@dataclass
class Outcome:
    """`redriven` counts dead letters by queue, `waiting` names persons by deal, `stages` counts deals."""

    findings: list[str] = field(default_factory=list)
    redriven: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """The people go on with their work whatever goes wrong; all that is wrong comes from the plan."""

    mischief: Mischief
    cast: Cast
    at: Installation
    say: Callable[[str], None]
    outcome: Outcome = field(default_factory=Outcome)
    acted: float = 0.0
    ticked: float = 0.0

    def rough(self, seed: int, deals: int, seconds: float) -> None:
        """The plan, in the order of its seconds; what takes longer than planned makes the rest late."""
        self.mischief.begin(seed, deals)
        began = time.monotonic()
        for second, strike in plan(seed, deals, seconds):
            while time.monotonic() - began < second:
                self._go_on()
            self.mischief.strike(strike)
        self.mischief.calm()

    def come_to_rest(self) -> None:
        """Until every deal is over and every queue is empty; dead letters are redriven as an operator would do it."""
        deadline = time.monotonic() + REST_SECONDS
        for _ in range(REDRIVES):
            if not self._wait_until_quiet(deadline):
                self.mischief.mend()
                self.outcome.findings.append(f"the system did not come to rest within {REST_SECONDS:.0f} s")
                return
            self.mischief.mend()
            lying = {name: number for name, number in self._letters().items() if number}
            if not lying:
                return
            for name, number in lying.items():
                self._redrive(name, number)

    def look(self) -> None:
        told_to_n8n = build.read_template(stack.ROOT / "template.yaml")["Resources"]["NotifyN8nRule"]["Properties"]
        types = frozenset(told_to_n8n["EventPattern"]["detail-type"])
        self.outcome.findings += all_findings(self.at, self.cast, types)
        self.outcome.findings += refused({twin: self.mischief.stack.twin(twin, "deliveries") for twin in SENDERS})
        for deal_id in self.cast.deals:
            with suppress(DealUnknown):
                deal = self.at.deals.load(deal_id)
                self.outcome.stages[deal.stage.value] += 1
                if whom := whom_it_waits_for(deal):
                    self.outcome.waiting[deal_id] = whom

    def _go_on(self, *, chase: bool = True) -> None:
        if time.monotonic() - self.acted > PEOPLE_SECONDS:
            self.cast.everybody_acts()
            self.acted = time.monotonic()
        if chase and time.monotonic() - self.ticked > TICK_SECONDS:
            with suppress(ClientError, BotoCoreError):  # it ticks again
                aws.client("lambda").invoke(FunctionName=self.at.resource("ChaseStalledFunction"))
            self.ticked = time.monotonic()
        time.sleep(PAUSE_SECONDS)

    def _wait_until_quiet(self, deadline: float) -> bool:
        """Quiet is when every deal is over and no queue holds anything, at several looks."""
        looks = 0
        while looks < QUIET_LOOKS and time.monotonic() < deadline:
            over = self._over() == len(self.cast.deals)
            if over and not self._holds_work():
                looks += 1
                time.sleep(LOOK_SECONDS)
            else:
                looks = 0
                self._go_on(chase=not over)
        return looks == QUIET_LOOKS

    def _holds_work(self) -> bool:
        """Anything but the chase's questions about deals, which are all over: some of them wait for 15 minutes."""
        answer = stack.call("GET", f"{self.mischief.stack.aws_endpoint_url}/_ministack/sqs/messages").json()
        return any(
            dead_letters.DEAD not in url and not isinstance(parse_message(message["Body"]), Silence)
            for regions in answer["messages"].values()
            for queues in regions.values()
            for url, messages in queues.items()
            for message in messages
        )

    def _over(self) -> int:
        return sum(self._is_over(deal_id) for deal_id in self.cast.deals)

    def _is_over(self, deal_id: str) -> bool:
        try:
            return is_over(self.at.deals.load(deal_id))
        except DealUnknown:
            return False

    def _letters(self) -> dict[str, int]:
        return {name: dead_letters.count(queue.dead_url) for name, queue in dead_letters.queues(self.at).items()}

    def _redrive(self, name: str, number: int) -> None:
        """By the command that an operator has."""
        command = [sys.executable, "-m", "operate", "--local", "redrive", name]
        done = subprocess.run(command, cwd=stack.ROOT, capture_output=True, text=True)
        self.say(f"redrive: {(done.stdout or done.stderr).strip()}")
        if done.returncode:
            self.outcome.findings.append(
                f"`operate redrive {name}` ended with {done.returncode}: {done.stderr.strip()}"
            )
        self.outcome.redriven[name] += number


def start(say: Callable[[str], None]) -> Run:
    """The system on this machine, with its functions held to the template's roles and queues that give up soon."""
    forget()
    running = stack.start(enforce_iam=True, state=STATE)
    at = on_this_machine()
    # A busy machine answers late: who looks on from outside has more patience than the functions.
    aws.clients.update({name: running.boto(name) for name in CLIENTS})
    _shorten(at)
    cast = Cast(
        act=lambda twin, action, body: dict(running.twin(twin, f"act/{action}", "POST", body)),
        state=lambda twin: dict(running.twin(twin, "state")),
    )
    return Run(Mischief(running, at, cast, say), cast, at, say)


def _shorten(at: Installation) -> None:
    sqs = aws.client("sqs")
    for queue in dead_letters.queues(at).values():
        dead = sqs.get_queue_attributes(QueueUrl=queue.dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = f'{{"deadLetterTargetArn": "{dead}", "maxReceiveCount": {RECEIVES}}}'
        attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": redrive}
        sqs.set_queue_attributes(QueueUrl=queue.work_url, Attributes=attributes)
