"""Checks of the recipe: `python test_recipe.py`."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import augment
import export
import learn
import measure
import others
import pipeline as pipe
import pretrain
import reading
import render
import rendered
import train
from model import HEADS, TongueNet

NAMES = list(HEADS)


class Rendering(unittest.TestCase):
    def test_same_seed_same_picture(self):
        first, second = (render.draw(np.random.default_rng(5)) for _ in range(2))
        self.assertTrue(np.array_equal(first[0], second[0]))
        self.assertTrue(np.array_equal(first[1], second[1]))
        self.assertEqual(first[2], second[2])
        self.assertFalse(np.array_equal(first[0], render.draw(np.random.default_rng(6))[0]))

    def test_labels_are_valid_and_wishes_are_kept(self):
        wanted = {"body_colour": 2, "fissures": 1, "tooth_marks": 2, "sharp": 1, "whole": 1}
        for seed in range(12):
            picture, mask, labels = render.draw(np.random.default_rng(seed), wanted)
            self.assertEqual(picture.dtype, np.uint8)
            self.assertEqual(picture.shape[:2], mask.shape)
            self.assertGreater(mask.mean(), 0.1)
            self.assertEqual(set(labels), set(HEADS))
            for name, value in wanted.items():
                self.assertEqual(labels[name], value)
            for name, value in labels.items():
                self.assertIn(value, range(-1, len(HEADS[name])))

    def test_deeper_blood_is_redder_and_yellow_coating_is_yellower(self):
        def colour(**wanted):
            wanted = {"sharp": 1, "whole": 1, **wanted}
            drawn = (render.draw(np.random.default_rng(s), wanted) for s in range(16))
            means = np.mean([picture[mask].mean(0) for picture, mask, _ in drawn], 0)
            return means[1] / means[0], means[2] / means[1]

        self.assertGreater(colour(body_colour=0)[0], colour(body_colour=2)[0] + 0.05)
        white = colour(coating_colour=0, coating_thickness=2)
        yellow = colour(coating_colour=2, coating_thickness=2)
        self.assertGreater(white[1], yellow[1] + 0.05)

    def test_every_kind_without_a_tongue_is_drawn(self):
        for kind in others.KINDS:
            picture, told = others.draw(np.random.default_rng(1), kind)
            self.assertEqual((picture.dtype, picture.shape[2], told), (np.uint8, 3, kind))


class Learning(unittest.TestCase):
    def test_one_step_changes_every_parameter(self):
        torch.manual_seed(0)
        net = TongueNet(width=8)
        rows = [rendered.sample(s) for s in range(24)]
        data = {f: np.stack([row[f] for row in rows]) for f in rendered.FIELDS}
        before = {n: p.detach().clone() for n, p in net.named_parameters()}
        weights = learn.class_weights(data["labels"], NAMES)
        logits = net.classify(*augment.batch(data, torch.Generator().manual_seed(0)))
        loss = learn.head_loss(logits, torch.as_tensor(data["labels"]), NAMES, weights)
        masks = torch.as_tensor(data["mask"]).float()
        loss = loss + pretrain.seg_loss(net.segment(pretrain.seg_input(data["letterbox"])), masks, masks.amax((1, 2)))
        loss.backward()
        torch.optim.SGD(net.parameters(), 0.1).step()
        for name, value in net.named_parameters():
            self.assertTrue(torch.isfinite(value).all(), name)
            self.assertFalse(torch.equal(value, before[name]), name)

    def test_unlabelled_rows_teach_nothing(self):
        logits = {n: torch.randn(4, len(c)) for n, c in HEADS.items()}
        nothing = np.full((4, len(NAMES)), -1, np.int8)
        weights = learn.class_weights(nothing, NAMES)
        self.assertIsNone(learn.head_loss(logits, torch.as_tensor(nothing), NAMES, weights))

    def test_a_part_trains_its_own_tensors_only(self):
        net = TongueNet(width=8)
        names = [n for n, _ in net.named_parameters()]
        loops = {part: learn.Loop(net, part, ".", "t", 1, 1e-3, 4) for part in ("segment", "heads", "rim", "reading")}
        mine = {part: {n for n in names if loop.mine(n)} for part, loop in loops.items()}
        self.assertEqual(mine["heads"] | mine["rim"], mine["reading"])
        self.assertEqual(mine["reading"] | mine["segment"], set(names))
        self.assertEqual(len(names), sum(len(mine[part]) for part in ("segment", "heads", "rim")))
        self.assertIn("heads.tooth_marks.weight", mine["rim"])

    def test_folds_part_the_rows_and_keep_proportions(self):
        labels = np.array([[0]] * 50 + [[1]] * 25, np.int8)
        fold = train.folds_of(labels, 5)
        for f in range(5):
            self.assertEqual(((fold == f) & (labels[:, 0] == 0)).sum(), 10)
            self.assertEqual(((fold == f) & (labels[:, 0] == 1)).sum(), 5)

    def test_a_loop_goes_on_where_it_stopped(self):
        with tempfile.TemporaryDirectory() as folder:
            def go(epochs):
                torch.manual_seed(0)
                net = TongueNet(width=8)
                seen = []

                def step(index):
                    seen.append(len(index))
                    return net.classify(torch.randn(2, 3, 64, 64), None)["sharp"].square().mean()

                loop = learn.Loop(net, "heads", folder, "t", epochs, 1e-3, 4)
                loop.run(8, step, lambda: (float(loop.epoch), ""), log=lambda text: None)
                return len(seen)

            self.assertEqual(go(1), 2)
            self.assertEqual(go(3), 4)


class Figures(unittest.TestCase):
    def test_auc(self):
        truth = np.array([0, 0, 1, 1])
        self.assertEqual(measure.auc(np.array([0.1, 0.4, 0.35, 0.8]), truth == 1), 0.75)
        prob = np.eye(3)[[0, 0, 2, 2]]
        self.assertEqual(measure.macro_auc(prob, np.array([0, 0, 2, 2])), 1.0)

    def test_component_and_crop(self):
        mask = np.zeros((9, 9), bool)
        mask[1:3, 1:3] = mask[5:9, 4:8] = True
        part = pipe.largest_component(mask)
        self.assertEqual(part.sum(), 16)
        x0, y0, side = pipe.square_of(part, 0.5)
        self.assertEqual((x0, y0, side), (7, 9, 10))

    def test_a_rim_is_unrolled_along_the_outline(self):
        y, x = np.mgrid[:256, :256].astype(np.float32)
        inside = np.hypot(x - 127.5, y - 127.5) < 80
        rgb = np.where(inside[..., None], np.uint8([200, 20, 20]), np.uint8([20, 20, 200]))
        mask = rendered.boxed_mask(inside)
        _, scale, part = pipe.letterbox(rgb)
        square = pipe.square_of(mask, scale)
        strip = pipe.rim(rgb, mask.astype(np.float32), mask, scale, part, square)
        self.assertEqual(strip.shape, (pipe.RIM_ROWS, pipe.RIM_COLUMNS, 3))
        self.assertTrue((strip[:16, :, 0] == 200).all() and (strip[-16:, :, 2] == 200).all())

    def test_files_load_again_and_give_the_golden_answers(self):
        torch.manual_seed(1)
        pictures = [render.draw(np.random.default_rng(0))[0], others.draw(np.random.default_rng(0))[0]]
        with tempfile.TemporaryDirectory() as folder:
            export.write(TongueNet(width=8), folder, export.description("test"), pictures)
            net, config = export.load(folder)
            again = export.golden(net, pictures)
            stored = load_file(Path(folder) / "golden.safetensors")
            self.assertEqual(set(stored), set(again))
            for name, value in stored.items():
                self.assertTrue(torch.allclose(value.float(), again[name].float(), atol=1e-4), name)
            self.assertIn(reading.read(net, config, pictures[0])[0], ("good", "not_a_tongue", "covered", "blurred"))
            self.assertEqual(reading.read(net, config, np.zeros((200, 200, 3), np.uint8))[0], "too_dark")
            self.assertEqual(reading.read(net, config, np.zeros((1, 1, 3), np.uint8))[0], "too_small")


if __name__ == "__main__":
    unittest.main()
