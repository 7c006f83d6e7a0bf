"""Rarer layers of segmentation: what they are measured by, mean-field inference, help in training."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, count
from .four_axes import four_axes
from .in_place import refuse_in_place
from .loss import check_label_count

__all__ = ["AssistedExcitation", "ConfusionMatrix", "MultiStageMeanfield", "SegmentationEvaluate"]


class ConfusionMatrix(Definition):
    """For each true class, the share in which each class was taken for it.

    ## Shape
    Bottom 0: scores of K classes along `axis`. Bottom 1: class numbers of all positions outside of
    it. Top (K, K): true class, best class.

    ## Differs from PyTorch
    No counterpart: counts of pairs, every row divided by its sum; a class that does not occur has a
    row of NaN. Scores of -1 and below count as equal, and of equal scores the first is the best.

    ## Forks
    NVIDIA's beginnings and a pull request to BVLC (confusion_matrix_layer.cpp).
    """

    type = "ConfusionMatrix"
    param = "confusion_matrix_param"
    bottoms = count(2)
    gradient = False

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.raw_axis: int = param.axis

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        scores = bottoms[0]
        self.axis_index = self.axis(self.raw_axis, len(scores))
        self.classes = scores[self.axis_index]
        positions = prod(scores[: self.axis_index] + scores[self.axis_index + 1 :])
        check_label_count(self, positions, bottoms[1])
        return [(self.classes, self.classes)]

    def cost(self) -> Cost:
        # a comparison for each score, and a quotient for each pair
        return Cost(0, prod(self.bottom_shapes[0]) + self.classes**2)


class SegmentationEvaluate(Definition):
    """The intersection over union of each mask of the first item, past a threshold.

    ## Shape
    Bottoms 0 and 1 (N, C, H, W): masks and true masks. Top (1, 1, 1, C).

    ## Differs from PyTorch
    No counterpart; 0 where nothing is hit. Where the masks are of another size than the true ones,
    Caffe brings them there as pictures of whole numbers by OpenCV: that is not computed.

    ## Forks
    mobilenet-yolo's (segmentation_evaluate_layer.cpp).
    """

    type = "SegmentationEvaluate"
    param = "segmentation_evaluate_param"
    bottoms = count(2)
    gradient = False

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.threshold: float = param.threshold
        if not param.has("num_classes"):
            self.fault(
                "num-classes-missing",
                "SegmentationEvaluate needs `num_classes`",
                "num_classes",
                help="add `num_classes: 1`",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        masks, true = (four_axes(self, bottom) for bottom in bottoms)
        if masks[1] != true[1]:
            self.refuse(
                "bottom-counts-differ",
                f"both bottoms have a mask for each class; bottom 0 has {masks[1]}, bottom 1 has "
                f"{true[1]}",
                "layer.bottom",
                index=1,
            )
        if masks[2:] != true[2:]:
            self.obstacle = "its masks are brought to the size of the true ones as pictures"
        return [(1, 1, 1, true[1])]

    def cost(self) -> Cost:
        return Cost(0, 4 * prod(self.bottom_shapes[0][1:]))


class AssistedExcitation(Definition):
    """Lifts the values inside of true boxes, at first fully and ever less while training goes on.

    ## Shape
    Bottom 0 (N, C, H, W), bottom 1 boxes, bottom 2 (N, 1, H, W): the mean over the channels. Top as
    bottom 0.

    ## Differs from PyTorch
    No counterpart: by how much values are lifted depends on the iteration (Derakhshani et al.,
    Assisted Excitation of Activations, arXiv:1906.05388). It is not computed.

    ## Forks
    mobilenet-yolo's (assisted_excitation_layer.cpp), for training alone.
    """

    type = "AssistedExcitation"
    bottoms = count(3)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        return [bottoms[0]]


class MultiStageMeanfield(Definition):
    """A dense conditional random field as a network: CRF-RNN's rounds of mean-field inference.

    ## Shape
    Bottoms: unary terms (N, C, H, W), the same again, and pictures (N, 3, H, W). Top as bottom 0.

    ## Blobs
    Weights of the spatial and of the bilateral filter, and the compatibility of classes, each
    (1, 1, C, C).

    ## Differs from PyTorch
    No counterpart: messages pass through a filter on a permutohedral lattice, which approximates a
    Gaussian of position and colour in a way of its own (Zheng et al., Conditional Random Fields as
    Recurrent Neural Networks, arXiv:1502.03240). It is not computed.

    ## Forks
    Its authors' (multi_stage_meanfield.cpp). Older files give the weights as numbers, which no
    version that reads them from `spatial.par` and `bilateral.par` takes.
    """

    type = "MultiStageMeanfield"
    param = "multi_stage_meanfield_param"
    bottoms = count(3)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.num_iterations: int = param.num_iterations

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [("spatial", None), ("bilateral", None), ("compatibility", None)]

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        unary = four_axes(self, bottoms[0])
        pairs = (1, 1, unary[1], unary[1])
        self.blobs = tuple(BlobSpec(name, pairs) for name, _ in self.weight_fillers())
        return [unary]
