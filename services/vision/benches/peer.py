"""torchvision's ResNet-18 on this machine, for `wenzhen bench vision` to be held against.

    pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu
    python peer.py
"""

import json
import statistics
import time

import torch
import torchvision

RUNS = 15


def median(batch):
    """The middle of so many runs in milliseconds, after two that do not count."""
    picture = torch.rand(batch, 3, 224, 224)
    times = []
    with torch.inference_mode():
        for run in range(RUNS + 2):
            began = time.perf_counter()
            model(picture)
            if run >= 2:
                times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


model = torchvision.models.resnet18(weights=None).eval()
print(json.dumps({
    "torch": torch.__version__,
    "threads": torch.get_num_threads(),
    "resnet18_batch_1_ms": round(median(1), 2),
    "resnet18_batch_8_ms": round(median(8), 2),
}))
