"""Scores with PyTorch's nn.LSTM and nn.Linear, from a file that the plugin saved and from one with weights of PyTorch.

pip install torch==2.13.0 safetensors numpy
cargo run -p oculus-plugin-lstm --example lstm_golden plugins/lstm/tests/golden
python plugins/lstm/tests/golden/pytorch.py

In: ours.safetensors, rows.csv. Out: pytorch.safetensors, and ours.csv and pytorch.csv: one probability per row, in full
precision, from the first row with a complete window.
"""

import json
from pathlib import Path

import numpy
import torch
from safetensors import safe_open
from safetensors.torch import save_file

assert torch.__version__.startswith("2.13.0"), torch.__version__
folder = Path(__file__).parent
rows = numpy.loadtxt(folder / "rows.csv", delimiter=",", skiprows=1, dtype=numpy.float32)


class Net(torch.nn.Module):
    def __init__(self, header):
        super().__init__()
        self.header = header
        n_features, hidden = len(header["features"]), header["hidden_size"]
        self.lstm = torch.nn.LSTM(n_features, hidden, header["num_layers"], batch_first=True)
        self.head = torch.nn.Linear(hidden, 1)
        self.scaler = torch.nn.Module()
        self.scaler.register_buffer("mean", torch.zeros(n_features))
        self.scaler.register_buffer("deviation", torch.ones(n_features))

    def forward(self, rows):
        clip, length = self.header["clip"], self.header["sequence_length"]
        scaled = ((rows - self.scaler.mean) / self.scaler.deviation).clamp(-clip, clip)
        windows = scaled.unfold(0, length, 1).transpose(1, 2)
        return torch.sigmoid(self.head(self.lstm(windows)[0][:, -1])).squeeze(-1)


def score(name):
    with safe_open(folder / f"{name}.safetensors", "pt") as file:
        net = Net(json.loads(file.metadata()["oculus"]))
        # Loading is strict: the file and the network must have exactly the same tensors.
        net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})
    with torch.no_grad():
        scores = net(torch.from_numpy(rows))
    (folder / f"{name}.csv").write_text("".join(f"{p!r}\n" for p in scores.tolist()))


def write_pytorch_model():
    """Writes a file in the plugin's format with PyTorch's initial weights, multiplied by four to spread the scores."""
    torch.manual_seed(5)
    header = {"family": "lstm", "format": 1, "columns": ["F_0", "F_1", "F_2", "F_3"], "features": ["F_2", "F_0", "F_3", "F_1"]}
    header |= {"hidden_size": 11, "num_layers": 3, "sequence_length": 23, "clip": 5.0, "epochs": 1, "device": "cpu"}
    net = Net(header)
    tensors = {key: 4 * tensor for key, tensor in net.state_dict().items()}
    tensors["scaler.mean"] = torch.tensor([0.1, -0.2, 0.3, 0.05])
    tensors["scaler.deviation"] = torch.tensor([0.5, 1.5, 0.9, 0.2])
    save_file(tensors, folder / "pytorch.safetensors", metadata={"oculus": json.dumps(header)})
    return header


header = write_pytorch_model()
names = (folder / "rows.csv").read_text().splitlines()[0].split(",")
score("ours")
rows = rows[:, [names.index(name) for name in header["features"]]]
score("pytorch")
