"""Small networks of every kind that can be pruned, with inputs for them."""

import torch
from torch import nn
from torch.nn import functional


class Plain(nn.Module):
    """Convolutions, batch norms, a flattened linear layer."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.PReLU(8),
            nn.Dropout(0.1),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8 * 16, 10), nn.Linear(10, 3))

    def forward(self, x):
        return self.head(self.features(x))


class Residual(nn.Module):
    """An identity and a projected shortcut, and a mean over places."""

    def __init__(self, width=6):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.a1, self.a2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.b1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.b2 = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.shortcut = nn.Conv2d(width, 2 * width, 1, stride=2)
        self.head = nn.Linear(2 * width, 3)

    def forward(self, x):
        x = functional.relu(self.norm(self.stem(x)))
        x = (x + self.a2(self.a1(x).relu())).relu_()
        y = self.b2(functional.relu(self.b1(x)))
        y += self.shortcut(x)
        return self.head(torch.relu(y).mean((2, 3)))


class Mobile(nn.Module):
    """Depthwise convolutions, one with two filters a channel, and a gate."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Conv2d(2, 8, 1)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.twice = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.down, self.up = nn.Linear(16, 4), nn.Linear(4, 16)
        self.project = nn.Conv2d(16, 5, 1)

    def forward(self, x):
        x = functional.hardswish(self.norm(self.depth(self.expand(x))))
        x = self.twice(x).sigmoid()
        pooled = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        gate = torch.sigmoid(self.up(self.down(pooled).relu()))
        return self.project(x * gate[:, :, None, None])


class Grouped(nn.Module):
    """Grouped convolutions, one after another."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(2, 12, 1)
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=3)
        self.again = nn.Conv2d(12, 6, 3, groups=2)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        return self.last(self.again(self.grouped(self.wide(x).relu()).relu()))


class Dense(nn.Module):
    """Concatenated features, of which some come straight from the input."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.norm, self.three = nn.BatchNorm2d(10), nn.Conv2d(10, 5, 1)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        x = torch.cat([x, self.one(x).relu()], dim=1)
        x = torch.cat([x, self.two(x).relu()], dim=1)
        x = self.three(self.norm(x)).amax((-2, -1), keepdim=True)
        return self.head(x.squeeze((2, 3)))


class Tokens(nn.Module):
    """Linear layers over the last of three axes, and one layer used twice."""

    def __init__(self):
        super().__init__()
        self.up, self.between = nn.Linear(5, 8), nn.Linear(8, 8)
        self.mixer, self.head = nn.Conv1d(8, 7, 3, padding=1), nn.Linear(7, 3)

    def forward(self, x):
        x = functional.gelu(self.up(x))
        x = x + self.between(functional.gelu(self.between(x)))
        x = self.mixer(x.transpose(1, 2)).permute(0, 2, 1)
        return self.head(x.tanh()).softmax(-1)


class Sizes(nn.Module):
    """Shapes that are computed from shapes, and a custom forward with an option."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv3d(1, 4, 2)
        self.two = nn.Conv1d(4, 6, 3, padding="same", padding_mode="circular")
        self.norm, self.head = nn.InstanceNorm1d(6, affine=True), nn.Linear(6 * 27, 2)

    def forward(self, x, scale=None):
        x = self.one(x)
        batch, channels = x.size(0), x.shape[1]
        x = self.two(torch.sub(x, 0.1).view(batch, channels, -1))
        x = self.norm(x).reshape(x.size(0), -1)
        x = x if scale is None else x * scale
        return {"logits": self.head(x)}


NETS = {
    "plain": (Plain, (1, 8, 8)),
    "residual": (Residual, (1, 8, 8)),
    "mobile": (Mobile, (2, 5, 5)),
    "grouped": (Grouped, (2, 5, 5)),
    "dense": (Dense, (2, 5, 5)),
    "tokens": (Tokens, (4, 5)),
    "sizes": (Sizes, (1, 4, 4, 4)),
}


def make(name, seed=0):
    """Make a network whose batch norms have seen something, and a batch for it."""
    torch.manual_seed(seed)
    kind, shape = NETS[name]
    net, batch = kind(), torch.randn(6, *shape)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_()
        net.train()
        for _ in range(3):
            net(torch.randn(16, *shape))
    return net, batch
