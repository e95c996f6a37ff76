#!/usr/bin/env python3
"""Sends a run's numbers to a tracking service while it trains, or afterwards: wandb, or any module with its
init(), log() and finish() (trackio, swanlab).

  pip install wandb
  scripts/follow_run.py runs/vo_ffn --project muon
  scripts/follow_run.py runs/vo_ffn --project muon --module trackio

It reads the run's folder and writes nothing there, so it can be stopped and started at any time. Steps that were
sent are noted in --state (default: RUN.sent beside the run's folder), so that none is sent twice. The services count
on rising steps: steps that a resumed run repeats are not sent again. The script ends when the run has ended, or with
Ctrl-C.
"""
import argparse
import fcntl
import importlib
import json
import os
import time


class Lines:
    """Whole lines of a file that grows, and that a resume may cut."""

    def __init__(self, path):
        self.path, self.offset = path, 0

    def new(self):
        if not os.path.exists(self.path):
            return []
        size = os.path.getsize(self.path)
        self.offset = min(self.offset, size)
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.offset += len(whole)
        lines = []
        for line in whole.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:  # the rest of a line whose beginning was cut away
                continue
        return lines


def flat(line, prefix=""):
    """{"lr": {"adam": 1}} as {"lr/adam": 1}; numbers only."""
    numbers = {}
    for name, value in line.items():
        if isinstance(value, dict):
            numbers.update(flat(value, f"{prefix}{name}/"))
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and name != "step":
            numbers[prefix + name] = value
    return numbers


def is_running(folder):
    """Whether a process holds the run's lock."""
    try:
        with open(os.path.join(folder, ".lock"), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


class Sender:
    """Sends steps in order, each once and as a whole: a step's validation comes after its training."""

    def __init__(self, service, sent):
        self.service, self.sent, self.waiting = service, sent, {}

    def take(self, name, line):
        step = line.get("step", 0)
        if step > self.sent:
            self.waiting.setdefault(step, {}).update(flat(line, "time/" if name == "timing" else ""))

    def send(self, ended):
        """All but the newest step, to which lines may still come."""
        for step in sorted(self.waiting)[:None if ended else -1]:
            self.service.log(self.waiting.pop(step), step=step)
            self.sent = step


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", help="a run's folder")
    arguments.add_argument("--project", default="muonlab")
    arguments.add_argument("--module", default="wandb", help="the Python module of the service")
    arguments.add_argument("--state", help="the file that notes what was sent; default: RUN.sent")
    arguments.add_argument("--every", type=float, default=5, help="seconds between two looks")
    given = arguments.parse_args()
    folder = given.run.rstrip("/")
    state = given.state or folder + ".sent"
    with open(os.path.join(folder, "resolved.json"), encoding="utf-8") as file:
        config = json.load(file)
    noted = {"id": None, "step": -1}
    if os.path.exists(state):
        with open(state, encoding="utf-8") as file:
            noted = json.load(file)
    noted["id"] = noted["id"] or f"{os.path.basename(folder)}-{int(time.time())}"
    service = importlib.import_module(given.module)
    service.init(project=given.project, name=noted["id"], config=config,
                 **({"id": noted["id"], "resume": "allow"} if given.module == "wandb" else {}))
    files = {name: Lines(os.path.join(folder, name + ".jsonl")) for name in ("metrics", "timing")}
    sender = Sender(service, noted["step"])
    try:
        running = True
        while running:
            running = is_running(folder)  # asked first, so that nothing comes after the last look
            for name, lines in files.items():
                for line in lines.new():
                    sender.take(name, line)
            sender.send(ended=not running)
            noted["step"] = sender.sent
            with open(state + ".new", "w", encoding="utf-8") as file:
                json.dump(noted, file)
            os.replace(state + ".new", state)
            if running:
                time.sleep(given.every)
    except KeyboardInterrupt:
        pass
    service.finish()


if __name__ == "__main__":
    main()
