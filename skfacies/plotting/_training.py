"""How a training went, epoch by epoch."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skfacies._sections.estimators import last_step
from skfacies.plotting._arguments import check_matplotlib
from skfacies.plotting._drawing import check_axes_of_panels, check_panels

__all__ = ["TrainingDisplay"]

TRAIN_COLOR, VALID_COLOR, MARK_COLOR = "#7F7F7F", "#0077BB", "#CC3311"


class TrainingDisplay:
    """Losses, IoU of the held-out traces and learning rate, epoch by epoch.

    If both losses still fall in the last epochs, train longer. If the loss of the held-out traces
    rises while that of the training lines falls, the network learns its lines by heart: label more
    lines, or use `early_stopping`.

    Use `from_estimator` with a fitted estimator, which draws. The constructor only stores its
    arguments.

    Parameters
    ----------
    train_loss : array-like of shape (n_epochs,)
        Mean loss of the training traces in each epoch.
    valid_loss : array-like of shape (n_epochs,), default=None
        Mean loss of the held-out traces; NaN in epochs without.
    valid_iou : array-like of shape (n_epochs,), default=None
        Mean IoU of the held-out traces; NaN in epochs without.
    learning_rate : array-like of shape (n_epochs,), default=None
        Learning rate at the end of each epoch; NaN in epochs without.
    reductions : array-like of int, default=()
        Epochs, counted from 1, after which the learning rate was reduced because the loss no longer
        fell.
    kept_epoch : int, default=None
        Epoch whose weights were kept, if they were not those of the last one.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        Panels by name: "loss", "iou" and "learning_rate", as far as they are drawn.
    figure_ : matplotlib Figure
        The figure with the panels.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skfacies.plotting import TrainingDisplay
    >>> display = TrainingDisplay(
    ...     [0.9, 0.6, 0.5], valid_loss=[1.0, 0.8, 0.7], valid_iou=[0.3, 0.5, 0.6]).plot()
    >>> for name, ax in display.axes_.items():
    ...     print(f"{name}: {ax.get_ylabel()}")
    loss: loss
    iou: mean IoU of held-out traces
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        train_loss,
        *,
        valid_loss=None,
        valid_iou=None,
        learning_rate=None,
        reductions=(),
        kept_epoch=None,
    ):
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.valid_iou = valid_iou
        self.learning_rate = learning_rate
        self.reductions = reductions
        self.kept_epoch = kept_epoch

    @classmethod
    def from_estimator(cls, estimator, *, axes=None, plot_kw=None):
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : fitted `FaciesSegmenter` or `CubeSegmenter`, or a Pipeline or search with one
            Its ``history_`` is read.
        axes : matplotlib Axes or sequence of Axes, default=None
            As in `plot`.
        plot_kw : dict, default=None
            Other arguments of `plot`.

        Returns
        -------
        display : TrainingDisplay

        Raises
        ------
        TypeError
            If the estimator has no history.
        NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skfacies import FaciesSegmenter
        >>> from skfacies.datasets import make_facies_cube
        >>> from skfacies.plotting import TrainingDisplay
        >>> survey = make_facies_cube((8, 32, 32), n_facies=2, random_state=0)
        >>> segmenter = FaciesSegmenter(
        ...     encoder_depth=3, decoder_channels=(8, 8, 8), max_epochs=3, random_state=0)
        >>> display = TrainingDisplay.from_estimator(segmenter.fit(survey.data, survey.target))
        >>> print(display.train_loss.shape, list(display.axes_))
        (3,) ['loss', 'iou', 'learning_rate']
        >>> plt.close(display.figure_)
        """
        check_matplotlib("TrainingDisplay.from_estimator")
        history = _find_history(estimator)

        def column(name):
            values = np.array([row.get(name, np.nan) for row in history], dtype=float)
            return None if np.isnan(values).all() else values

        kept = [i for i, row in enumerate(history, start=1) if row.get("best")]
        display = cls(
            np.array([row["train_loss"] for row in history], dtype=float),
            valid_loss=column("valid_loss"),
            valid_iou=column("valid_miou"),
            learning_rate=column("lr"),
            reductions=np.array(
                [i for i, row in enumerate(history, start=1) if row.get("lr_reduced")], dtype=int
            ),
            kept_epoch=kept[-1] if kept else None,
        )
        return display.plot(axes, **(plot_kw or {}))

    def plot(self, axes=None, *, panels=None, log_loss=True):
        """Draw the panels, one below the other.

        Parameters
        ----------
        axes : matplotlib Axes or sequence of Axes, default=None
            One for each panel. By default, a new figure is made.
        panels : str or sequence of str, default=None
            Panels to draw, of "loss", "iou" and "learning_rate", in the given order. By default,
            all that the display has.
        log_loss : bool, default=True
            Logarithmic axis of the losses, if all of them are above 0.

        Returns
        -------
        display : TrainingDisplay
            The display itself.

        Raises
        ------
        ValueError
            If arrays or arguments are inconsistent.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib("TrainingDisplay.plot")
        curves = self._check_arrays()
        available = ["loss"]
        available += ["iou"] if "valid_iou" in curves else []
        available += ["learning_rate"] if "learning_rate" in curves else []
        panels = check_panels(panels, available)
        axes = _make_figure(panels) if axes is None else check_axes_of_panels(axes, panels)
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.figure_ = axes[0].figure
        for name, ax in self.axes_.items():
            {"loss": _draw_losses, "iou": _draw_iou, "learning_rate": _draw_rate}[name](ax, curves)
            if name == "loss" and log_loss:
                _use_log_scale(ax, curves)
            self._mark_epochs(ax, name, curves)
            ax.grid(axis="y", color="0.9", lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
            if ax.get_legend_handles_labels()[1]:
                ax.legend(frameon=False, fontsize="small")
        axes[-1].set_xlabel("epoch")
        return self

    def _check_arrays(self):
        curves = {}
        for name in ("train_loss", "valid_loss", "valid_iou", "learning_rate"):
            if getattr(self, name) is None:
                continue
            curves[name] = np.asarray(getattr(self, name), dtype=float)
            n_epochs = len(curves["train_loss"]) if curves["train_loss"].ndim else 0
            if curves[name].shape != (n_epochs,) or not n_epochs:
                raise ValueError(
                    f"`{name}` must have one value for each epoch, as `train_loss`; got shape "
                    f"{curves[name].shape}."
                )
        return curves

    def _mark_epochs(self, ax, name, curves):
        if self.kept_epoch is not None:
            label = f"weights of epoch {self.kept_epoch} are kept" if name == "loss" else None
            ax.axvline(self.kept_epoch, color="black", lw=1, ls=(0, (1, 2)), label=label)
        reductions = np.asarray(self.reductions, dtype=int)
        for epoch in reductions:
            ax.axvline(epoch + 0.5, color=MARK_COLOR, lw=0.6, alpha=0.35, zorder=0)
        if name == "learning_rate" and len(reductions):
            rates = curves["learning_rate"][reductions - 1]
            ax.plot(
                reductions,
                rates,
                "v",
                color=MARK_COLOR,
                ms=6,
                ls="none",
                label="reduced, as the loss no longer fell",
            )


def _find_history(estimator):
    """Epochs of the estimator of sections, wherever it is nested."""
    sections = last_step(estimator)
    sections = last_step(getattr(sections, "estimator_", sections))
    history = getattr(sections, "history_", None)
    if history is None and hasattr(estimator, "fit"):
        check_is_fitted(estimator)
    if history is None:
        raise TypeError(
            "`estimator` must have a history_, as FaciesSegmenter does; "
            f"{type(sections).__name__} does not."
        )
    if not history:
        raise ValueError("`estimator` has an empty history_. Fit it for an epoch or more.")
    return history


def _make_figure(panels):
    import matplotlib.pyplot as plt

    heights = [2 if name != "learning_rate" else 1.2 for name in panels]
    _, axes = plt.subplots(
        len(panels),
        1,
        figsize=(7, 0.7 + 1.1 * sum(heights)),
        sharex=True,
        squeeze=False,
        height_ratios=heights,
        layout="constrained",
    )
    return axes.ravel().tolist()


def _epochs(values):
    return np.arange(1, len(values) + 1)


def _line(ax, values, **kwargs):
    # A single epoch is a point, which a line does not show.
    marker = "o" if np.isfinite(values).sum() < 15 else None
    ax.plot(_epochs(values), values, marker=marker, ms=3, lw=1.4, **kwargs)


def _draw_losses(ax, curves):
    _line(ax, curves["train_loss"], color=TRAIN_COLOR, label="training traces")
    if "valid_loss" in curves:
        _line(ax, curves["valid_loss"], color=VALID_COLOR, label="held-out traces")
    ax.set_ylabel("loss")


def _use_log_scale(ax, curves):
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    losses = np.concatenate(
        [curves[name] for name in ("train_loss", "valid_loss") if name in curves]
    )
    if np.nanmin(losses) <= 0:
        return
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())


def _draw_iou(ax, curves):
    values = curves["valid_iou"]
    best = int(np.nanargmax(values)) if np.isfinite(values).any() else None
    _line(ax, values, color=VALID_COLOR)
    if best is not None:
        label = f"best: {values[best]:.3f} in epoch {best + 1}"
        ax.plot(best + 1, values[best], "o", ms=7, mfc="none", color="black", label=label)
    ax.set_ylabel("mean IoU of held-out traces")


def _draw_rate(ax, curves):
    _line(ax, curves["learning_rate"], color="0.3")
    ax.set(ylabel="learning rate", yscale="log")
