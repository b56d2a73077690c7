"""model.onnx and the calibration images beside it to model.rknn. Run it in this directory."""

from build import built, done, event, read_settings, reported

with reported():
    settings = read_settings()
    network = built(settings)
    done(network.export_rknn(settings["product"]), "export_rknn")
    network.release()
    event("result", platform=settings["config"]["target_platform"])
