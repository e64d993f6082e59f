"""The tongue model: a small segmenter, a ResNet-18 trunk and one linear head per feature.

FORMAT.md describes the files and the arithmetic around the networks. Only
convolution, batch norm, ReLU, max and average pooling, nearest upsampling and
linear layers occur, so that any runtime can execute it.
"""

import torch
from torch import nn
import torch.nn.functional as F

#: Feature heads and their classes, in the order of the logits.
HEADS = {
    "body_colour": ["light", "regular", "dark"],
    "coating_colour": ["white", "light_yellow", "yellow"],
    "fissures": ["none", "light", "severe"],
    "tooth_marks": ["none", "light", "severe"],
    "coating_thickness": ["little", "thin", "thick"],
    "coating_grease": ["plain", "greasy"],
    # Quality heads: not findings, they guard the answer.
    "tongue": ["no", "yes"],
    "sharp": ["no", "yes"],
    "whole": ["no", "yes"],
}
QUALITY_HEADS = ("tongue", "sharp", "whole")
#: Channels of the first ResNet stage; the stages have 1, 2, 4 and 8 times as many.
WIDTH = 32
#: Heads that look at the unrolled rim instead of the crop.
RIM_HEADS = ("tooth_marks",)
#: Side of the square that the segmenter and the trunk see, in pixels.
SEGMENT_SIDE = 128
CROP_SIDE = 160
#: The unrolled rim: side of the square that it is sampled from, angles, radii.
RIM_SIDE, RIM_COLUMNS, RIM_ROWS = 320, 320, 40


class Basic(nn.Module):
    """The residual block of ResNet-18, named as torchvision names it."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            conv = nn.Conv2d(cin, cout, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(cout))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class ConvBlock(nn.Module):
    """Convolution 3x3, batch norm, ReLU."""

    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(cout)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Segmenter(nn.Module):
    """A U-Net of five levels: per-pixel tongue logit, and one logit for "a tongue is there"."""

    CHANNELS = (8, 16, 32, 48, 64)

    def __init__(self):
        super().__init__()
        c1, c2, c3, c4, c5 = self.CHANNELS
        self.enc1 = ConvBlock(3, c1)
        self.enc2 = nn.Sequential(ConvBlock(c1, c2), ConvBlock(c2, c2))
        self.enc3 = nn.Sequential(ConvBlock(c2, c3), ConvBlock(c3, c3))
        self.enc4 = nn.Sequential(ConvBlock(c3, c4), ConvBlock(c4, c4))
        self.enc5 = nn.Sequential(ConvBlock(c4, c5), ConvBlock(c5, c5))
        self.gate = nn.Linear(c5, 1)
        self.dec4 = ConvBlock(c5 + c4, c4)
        self.dec3 = ConvBlock(c4 + c3, c3)
        self.dec2 = ConvBlock(c3 + c2, c2)
        self.dec1 = ConvBlock(c2 + c1, c1)
        self.out = nn.Conv2d(c1, 1, 1)

    def forward(self, x):
        e1 = self.enc1(x)
        e2 = self.enc2(F.max_pool2d(e1, 2))
        e3 = self.enc3(F.max_pool2d(e2, 2))
        e4 = self.enc4(F.max_pool2d(e3, 2))
        e5 = self.enc5(F.max_pool2d(e4, 2))
        gate = self.gate(e5.mean((2, 3))).squeeze(1)
        x = e5
        for skip, block in ((e4, self.dec4), (e3, self.dec3), (e2, self.dec2), (e1, self.dec1)):
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], 1))
        return self.out(x).squeeze(1), gate


class Rim(nn.Module):
    """A small network over the unrolled rim: means and maxima of its last map."""

    CHANNELS = (16, 24, 32, 48)

    def __init__(self):
        super().__init__()
        c1, c2, c3, c4 = self.CHANNELS
        self.enc1 = ConvBlock(3, c1)
        self.enc2 = nn.Sequential(ConvBlock(c1, c2), ConvBlock(c2, c2))
        self.enc3 = nn.Sequential(ConvBlock(c2, c3), ConvBlock(c3, c3))
        self.enc4 = ConvBlock(c3, c4)

    def maps(self, x):
        """The last feature map, an eighth of the strip's sides."""
        for level, block in enumerate((self.enc1, self.enc2, self.enc3, self.enc4)):
            x = block(F.max_pool2d(x, 2) if level else x)
        return x

    @staticmethod
    def pool(maps):
        """One row of features per strip."""
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)

    def forward(self, x):
        return self.pool(self.maps(x))


class TongueNet(nn.Module):
    """Segmenter, trunk and heads under the names that the weights file uses."""

    def __init__(self, width=WIDTH, heads=None):
        super().__init__()
        heads = HEADS if heads is None else heads
        self.segment = Segmenter()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        cin = width
        for stage in range(1, 5):
            cout = width * 2 ** (stage - 1)
            blocks = [Basic(cin, cout, 1 if stage == 1 else 2), Basic(cout, cout, 1)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            cin = cout
        self.rim = Rim()
        seen = 2 * Rim.CHANNELS[-1]
        self.heads = nn.ModuleDict(
            {name: nn.Linear(seen if name in RIM_HEADS else cin, len(c)) for name, c in heads.items()}
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def early(self, x):
        """The feature map of the third stage, batch x 4*width x 10 x 10."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer3(self.layer2(self.layer1(x)))

    def late(self, x):
        """Logits per head from `early`'s map."""
        pooled = self.layer4(x).mean((2, 3))
        return {name: head(pooled) for name, head in self.heads.items() if name not in RIM_HEADS}

    def features(self, x):
        """The last feature map, batch x 8*width x 5 x 5."""
        return self.layer4(self.early(x))

    def edge(self, strip):
        """Logits of the rim's heads for prepared strips (batch x 3 x RIM_ROWS x RIM_COLUMNS)."""
        seen = self.rim(strip)
        return {name: head(seen) for name, head in self.heads.items() if name in RIM_HEADS}

    def classify(self, x, strip):
        """Logits per head for prepared crops (batch x 3 x CROP_SIDE x CROP_SIDE) and strips; either may be None."""
        crop = {} if x is None else self.late(self.early(x))
        return crop | ({} if strip is None else self.edge(strip))

    def forward(self, x, strip):
        return self.classify(x, strip)
