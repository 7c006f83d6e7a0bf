"""The net through its ONNX form and onnxruntime."""

from __future__ import annotations

from caffegen.errors import MissingExtra

from . import CannotRun, Job, Outcome

__all__ = ["run", "version"]


def version() -> str:
    """The version of onnxruntime."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        raise MissingExtra("running a net in onnxruntime", "verify") from None
    return str(onnxruntime.__version__)


def run(job: Job) -> Outcome:
    """Every blob that the ONNX graph has, with the runtime's own optimisations on."""
    import json
    import os
    import tempfile

    import onnxruntime

    from caffegen import onnx_bridge

    with tempfile.TemporaryDirectory(prefix="caffegen-") as folder:
        path = os.path.join(folder, "net.onnx")
        onnx_bridge.save(job.net, path, outputs=list(job.net.graph.final), weights="external")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except Exception as error:
            raise CannotRun(_first_line(error)) from error
    wanted = {given.name for given in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    feeds = {name: array for name, array in job.inputs.items() if name in wanted}
    try:
        arrays = session.run(names, feeds)
    except Exception as error:
        raise CannotRun(_first_line(error)) from error
    values = dict(zip(names, arrays, strict=True))
    # a blob that was worked on in place has another name in the model than its input
    renamed = json.loads(session.get_modelmeta().custom_metadata_map.get("caffegen.blobs", "{}"))
    final = job.net.graph.final
    return Outcome(
        {
            name: values[renamed.get(name, name)]
            for name in final
            if renamed.get(name, name) in values
        }
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
