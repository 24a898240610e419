"""A local AWS that is told where to keep what it knows finds it again at its old address."""

from __future__ import annotations

from pathlib import Path

from local import aws, processes


def test_a_message_in_a_queue_outlives_a_stop_of_the_local_aws(tmp_path: Path) -> None:
    port = aws.free_port()
    url = f"http://127.0.0.1:{port}"

    for turn in (1, 2):
        log = tmp_path / f"{turn}.log"
        started = aws.start_ministack(port, folder=tmp_path, log=log, enforce_iam=False, state=tmp_path / "state")
        try:
            aws.wait_for("MiniStack", lambda: aws.answers(f"{url}/_ministack/health"), started, wait_seconds=60)
            sqs = aws.client("sqs", url)
            if turn == 1:
                sqs.send_message(QueueUrl=sqs.create_queue(QueueName="kept")["QueueUrl"], MessageBody="here")
            else:
                [message] = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="kept")["QueueUrl"])["Messages"]
        finally:
            processes.stop([started])

    assert message["Body"] == "here"
