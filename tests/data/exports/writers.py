"""Label files as tools write them, from the formats' own pages; nothing of edgectl is used.

``WRITERS``: name -> function(root, names, scenes), which returns the path to open.
"""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from .scenes import draw


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def by_split(scenes):
    found = {}
    for s in scenes:
        found.setdefault(s.split, []).append(s)
    return found


# COCO: https://cocodataset.org/#format-data


def coco_document(names, scenes, file_name=lambda s: s.file):
    images, annotations = [], []
    for i, s in enumerate(scenes, 1):
        images.append({"id": i, "file_name": file_name(s), "width": s.width, "height": s.height})
        for x0, y0, x1, y1, name in s.boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": names.index(name) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i, "name": n} for i, n in enumerate(names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco(annotation, folder, file_name=lambda s: s.file):
    """annotation, folder: of a split, as ``str.format`` templates."""

    def write(root, names, scenes):
        for split, own in by_split(scenes).items():
            document = coco_document(names, own, file_name)
            text(root / annotation.format(split=split), json.dumps(document, ensure_ascii=False))
            for s in own:
                draw(s, root / folder.format(split=split))
        return root

    return write


def coco_segments(root, names, scenes):
    """Polygons and no boxes."""
    document = coco_document(names, scenes)
    for a in document["annotations"]:
        x, y, w, h = a.pop("bbox")
        a["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    text(root / "_annotations.coco.json", json.dumps(document))
    for s in scenes:
        s.split = "train"
        draw(s, root)
    return root


# VOC: http://host.robots.ox.ac.uk/pascal/VOC/


def voc_xml(s, file_name=None):
    objects = "".join(
        f"<object><name>{escape(n)}</name><difficult>0</difficult><bndbox><xmin>{x0}</xmin>"
        f"<ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1, n in s.boxes
    )
    return (
        f"<annotation><folder>x</folder><filename>{escape(file_name or s.file)}</filename>"
        f"<size><width>{s.width}</width><height>{s.height}</height><depth>3</depth></size>"
        f"{objects}</annotation>"
    )


def voc_kit(root, names, scenes):
    for split, own in by_split(scenes).items():
        text(root / f"ImageSets/Main/{split}.txt", "".join(f"{s.stem}\n" for s in own))
        for s in own:
            text(root / "Annotations" / f"{s.stem}.xml", voc_xml(s))
            draw(s, root / "JPEGImages")
    return root


def voc_beside(root, names, scenes):
    for s in scenes:
        s.split = "train"
        text(root / f"{s.stem}.xml", voc_xml(s, f"C:\\Users\\me\\{s.file}"))
        draw(s, root)
    return root


def voc_roboflow(root, names, scenes):
    for s in scenes:
        text(root / s.split / f"{s.stem}.xml", voc_xml(s))
        draw(s, root / s.split)
    return root


def voc_label_studio(root, names, scenes):
    for s in scenes:
        s.split = "train"
        text(root / "Annotations" / f"{quote(s.stem)}.xml", voc_xml(s, quote(s.file)))
        draw(s, root / "images")
    return root


# YOLO: https://docs.ultralytics.com/datasets/detect/


def yolo_line(s, names, box, tail=""):
    x0, y0, x1, y1, name = box
    cx, cy = (x0 + x1) / 2 / s.width, (y0 + y1) / 2 / s.height
    w, h = (x1 - x0) / s.width, (y1 - y0) / s.height
    return f"{names.index(name)} {cx!r} {cy!r} {w!r} {h!r}{tail}\n"


def yolo_lines(s, names):
    return "".join(yolo_line(s, names, b) for b in s.boxes)


def yolo_yaml(names, scenes, place):
    rows = "".join(f"{k}: {place.format(split=k)}\n" for k in by_split(scenes))
    listed = "".join(f"  {i}: {json.dumps(n, ensure_ascii=False)}\n" for i, n in enumerate(names))
    return f"{rows}names:\n{listed}"


def yolo(image, label, place, lines=yolo_lines, extra=""):
    """image, label: folders, and place: what the YAML names, as templates of a split."""

    def write(root, names, scenes):
        for s in scenes:
            draw(s, root / image.format(split=s.split))
            text(root / label.format(split=s.split) / f"{s.stem}.txt", lines(s, names))
        text(root / "data.yaml", yolo_yaml(names, scenes, place) + extra)
        return root

    return write


def yolo_confidence(s, names):
    return "".join(yolo_line(s, names, b, f" {0.87 + i / 100:.6f}") for i, b in enumerate(s.boxes))


def yolo_tracks(s, names):
    return "".join(yolo_line(s, names, b, f" {i}") for i, b in enumerate(s.boxes))


def yolo_pose(s, names):
    """Two key points of three numbers."""
    lines = []
    for b in s.boxes:
        x, y = (b[0] + b[2]) / 2 / s.width, (b[1] + b[3]) / 2 / s.height
        lines.append(yolo_line(s, names, b, f" {x:.6f} {y:.6f} 2 0 0 0"))
    return "".join(lines)


def yolo_polygons(s, names):
    """Around the box, five to eight points, its corners among them."""
    lines = []
    for i, (x0, y0, x1, y1, name) in enumerate(s.boxes):
        points = [(x1, y0), (x1, y1), (x0, y1), (x0, y0)]
        points += [(x0 + (x1 - x0) * t / 9, y0) for t in range(1, 2 + i % 4)]
        numbers = " ".join(f"{x / s.width!r} {y / s.height!r}" for x, y in points)
        lines.append(f"{names.index(name)} {numbers}\n")
    return "".join(lines)


def yolo_bare(root, names, scenes):
    """Label Studio: classes.txt, images, labels, whose names are percent-encoded."""
    for s in scenes:
        s.split = "train"
        draw(s, root / "images")
        text(root / "labels" / f"{quote(s.stem)}.txt", yolo_lines(s, names))
    text(root / "classes.txt", "".join(f"{n}\n" for n in names))
    text(root / "notes.json", json.dumps({"categories": [], "info": {}}))
    return root


def yolo_labelimg(root, names, scenes):
    for s in scenes:
        s.split = "train"
        draw(s, root)
        text(root / f"{s.stem}.txt", yolo_lines(s, names))
    text(root / "classes.txt", "\n".join(names))
    return root


def yolo_darknet(root, names, scenes):
    """CVAT's YOLO 1.1."""
    keys = {"train": "train", "val": "valid"}
    rows = [f"classes = {len(names)}"]
    for split, own in by_split(scenes).items():
        folder = f"obj_{split}_data"
        for s in own:
            draw(s, root / folder)
            text(root / folder / f"{s.stem}.txt", yolo_lines(s, names))
        text(root / f"{split}.txt", "".join(f"data/{folder}/{s.file}\n" for s in own))
        rows.append(f"{keys[split]} = data/{split}.txt")
    text(root / "obj.names", "".join(f"{n}\n" for n in names))
    text(root / "obj.data", "\n".join([*rows, "names = data/obj.names", "backup = backup/"]) + "\n")
    return root


def yolo_lists(root, names, scenes):
    """Lists of another machine's paths, some of Windows."""
    for split, own in by_split(scenes).items():
        prefix = "C:\\sets\\mine\\images\\" if split == "val" else "/home/bob/mine/images/"
        text(root / f"{split}.txt", "".join(f"{prefix}{s.file}\n" for s in own))
        for s in own:
            draw(s, root / "images")
            text(root / "labels" / f"{s.stem}.txt", yolo_lines(s, names))
    text(root / "data.yaml", yolo_yaml(names, scenes, "{split}.txt"))
    return root


# tables


def table(header, row, name="annotations.csv", folder="images"):
    def write(root, names, scenes):
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(header)
        for s in scenes:
            draw(s, root / folder.format(split=s.split))
            for b in s.boxes:
                writer.writerow(row(s, b))
        text(root / name, out.getvalue())
        return root

    return write


def wheat(root, names, scenes):
    """Kaggle's wheat: an id without suffix, a list x y width height, one class."""
    for s in scenes:
        s.split = "train"
        s.boxes = [(*b[:4], "object") for b in s.boxes]
    scenes[0].boxes.append((20, 20, 25, 25, "object"))
    rows = ("image_id", "width", "height", "bbox", "source")
    write = table(
        rows,
        lambda s, b: [s.stem, s.width, s.height, [b[0], b[1], b[2] - b[0], b[3] - b[1]], "x"],
        "train.csv",
        "train",
    )
    return write(root, names, scenes)


def openimages(root, names, scenes):
    """https://storage.googleapis.com/openimages/web/download_v7.html"""
    codes = {n: f"/m/{i:03d}" for i, n in enumerate(names)}
    for split, own in by_split(scenes).items():
        out = io.StringIO()
        writer = csv.writer(out)
        head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf"
        writer.writerow(head.split(","))
        for s in own:
            draw(s, root / "images" / split)
            for x0, y0, x1, y1, n in s.boxes:
                x, y = (x0 / s.width, x1 / s.width), (y0 / s.height, y1 / s.height)
                writer.writerow([s.stem, "", codes[n], 1, *x, *y, -1, 0])
        text(root / "annotations" / f"{split}-annotations-bbox.csv", out.getvalue())
    out = io.StringIO()
    csv.writer(out).writerows([[c, n] for n, c in codes.items()])
    text(root / "annotations" / "class-descriptions.csv", out.getvalue())
    return root


# one document an image, or one for all


def labelme(root, names, scenes):
    """https://github.com/wkentaro/labelme; a rectangle may be drawn from any corner."""
    for s in scenes:
        shapes = []
        for i, (x0, y0, x1, y1, n) in enumerate(s.boxes):
            points = [[x0, y0], [x1, y1]] if i % 2 else [[x1, y1], [x0, y0]]
            shapes.append({"label": n, "points": points, "shape_type": "rectangle", "flags": {}})
        document = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": s.file,
            "imageData": None,
            "imageHeight": s.height,
            "imageWidth": s.width,
        }
        s.split = "train"
        draw(s, root)
        text(root / f"{s.stem}.json", json.dumps(document, ensure_ascii=False))
    return root


def label_studio(root, names, scenes):
    """https://labelstud.io/guide/export; shares are percent. One box is given turned by 90 degrees."""
    tasks = []
    for t, s in enumerate(scenes):
        s.split = "train"
        draw(s, root / "images")
        result = []
        for i, (x0, y0, x1, y1, n) in enumerate(s.boxes):
            value = {
                "x": 100 * x0 / s.width,
                "y": 100 * y0 / s.height,
                "width": 100 * (x1 - x0) / s.width,
                "height": 100 * (y1 - y0) / s.height,
                "rotation": 0,
            }
            if i == 1:  # turned about its corner: that is where the upper right one was
                value["x"] = 100 * x1 / s.width
                value["width"] = 100 * (y1 - y0) / s.width
                value["height"] = 100 * (x1 - x0) / s.height
                value["rotation"] = 90
            value["rectanglelabels"] = [n]
            sizes = {"original_width": s.width, "original_height": s.height}
            result.append({"id": f"r{i}", "type": "rectanglelabels", **sizes, "value": value})
        image = f"/data/local-files/?d=up/{quote(s.file)}"
        annotations = [{"id": t, "result": result, "was_cancelled": False}]
        tasks.append({"id": t, "data": {"image": image}, "annotations": annotations})
    text(root / "result.json", json.dumps(tasks))
    return root / "result.json"


def cvat(root, names, scenes):
    """https://docs.cvat.ai/docs/manual/advanced/xml_format/"""
    labels = "".join(f"<label><name>{escape(n)}</name></label>" for n in names)
    parts = [
        f"<annotations><version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"
    ]
    for i, s in enumerate(scenes):
        draw(s, root / "images" / s.split)
        head = f"<image id='{i}' name={quoteattr(s.file)} subset='{s.split}'"
        parts.append(f"{head} width='{s.width}' height='{s.height}'>")
        for k, (x0, y0, x1, y1, n) in enumerate(s.boxes):
            label = quoteattr(n)
            if k % 3 == 2:
                points = f"{x0},{y0};{x1},{y0};{x1},{y1};{x0},{y1}"
                parts.append(f"<polygon label={label} points='{points}'/>")
            else:
                parts.append(f"<box label={label} xtl='{x0}' ytl='{y0}' xbr='{x1}' ybr='{y1}'/>")
        parts.append("</image>")
    text(root / "annotations.xml", "".join([*parts, "</annotations>"]))
    return root


def datumaro(root, names, scenes):
    """As datumaro 1.13 writes it."""
    categories = {"label": {"labels": [{"name": n, "parent": "", "attributes": []} for n in names]}}
    for split, own in by_split(scenes).items():
        items = []
        for s in own:
            draw(s, root / "images" / split)
            rows = [
                {
                    "id": i,
                    "type": "bbox",
                    "label_id": names.index(n),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                }
                for i, (x0, y0, x1, y1, n) in enumerate(s.boxes)
            ]
            image = {"path": s.file, "size": [s.height, s.width]}
            items.append({"id": s.stem, "annotations": rows, "image": image})
        document = {"dm_format_version": "1.0", "infos": {}, "categories": categories}
        text(root / f"annotations/{split}.json", json.dumps({**document, "items": items}))
    return root


def edge_impulse(root, names, scenes):
    """https://docs.edgeimpulse.com (uploader, bounding_boxes.labels)"""
    folders = {"train": "training", "val": "testing"}
    for split, own in by_split(scenes).items():
        boxes = {}
        for s in own:
            draw(s, root / folders[split])
            boxes[s.file] = [
                {"label": n, "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
                for x0, y0, x1, y1, n in s.boxes
            ]
            s.split = {"train": "train", "val": "test"}[split]
        document = {"version": 1, "type": "bounding-box-labels", "boundingBoxes": boxes}
        text(root / folders[split] / "bounding_boxes.labels", json.dumps(document))
    return root


def kitti(root, names, scenes):
    """https://www.cvlibs.net/datasets/kitti/eval_object.php; a class is one word."""
    for s in scenes:
        s.split = "train"
        s.boxes = [(*b[:4], "c_" + "".join(c for c in b[4] if c.isalnum())) for b in s.boxes]
        draw(s, root / "image_2")
        rows = "".join(
            f"{n} 0.00 0 {math.pi / 3:.2f} {x0:.2f} {y0:.2f} {x1:.2f} {y1:.2f} 1 1 1 0 0 0 0\n"
            for x0, y0, x1, y1, n in s.boxes
        )
        text(root / "label_2" / f"{s.stem}.txt", rows)
    return root


def zipped(write):
    def zip_up(root, names, scenes):
        inner = root / "set"
        write(inner, names, scenes)
        with zipfile.ZipFile(root / "set.zip", "w") as z:
            for path in sorted(Path(inner).rglob("*")):
                if path.is_file():
                    z.write(path, path.relative_to(root))
        return root / "set.zip"

    return zip_up


WRITERS = {
    "coco roboflow": coco("{split}/_annotations.coco.json", "{split}"),
    "coco 2017": coco("annotations/instances_{split}2017.json", "{split}2017"),
    "coco ultralytics": coco("annotations/instances_{split}2017.json", "images/{split}2017"),
    "coco datumaro": coco("annotations/instances_{split}.json", "images/{split}"),
    "coco cvat": coco("annotations/instances_{split}.json", "images"),
    "coco plain": coco("annotations/{split}.json", "{split}"),
    "coco prefix": coco("{split}.json", "images", lambda s: f"images\\1/{s.file}"),
    "coco local files": coco(
        "annotations/{split}.json", "images", lambda s: f"/data/local-files/?d=p/{quote(s.file)}"
    ),
    "coco absolute": coco("labels_{split}.json", "{split}", lambda s: f"/home/bob/x/{s.file}"),
    "coco segments": coco_segments,
    "voc kit": voc_kit,
    "voc beside": voc_beside,
    "voc roboflow": voc_roboflow,
    "voc label studio": voc_label_studio,
    "yolo": yolo("images/{split}", "labels/{split}", "images/{split}"),
    "yolo roboflow": yolo("{split}/images", "{split}/labels", "../{split}/images"),
    "yolo beside": yolo("{split}/images", "{split}/images", "{split}/images"),
    "yolo confidence": yolo("images/{split}", "labels/{split}", "images/{split}", yolo_confidence),
    "yolo tracks": yolo("images/{split}", "labels/{split}", "images/{split}", yolo_tracks),
    "yolo pose": yolo(
        "images/{split}", "labels/{split}", "images/{split}", yolo_pose, "kpt_shape: [2, 3]\n"
    ),
    "yolo polygons": yolo("images/{split}", "labels/{split}", "images/{split}", yolo_polygons),
    "yolo windows": yolo("images/{split}", "labels/{split}", "'D:\\sets\\mine\\images\\{split}'"),
    "yolo lists": yolo_lists,
    "yolo bare": yolo_bare,
    "yolo labelimg": yolo_labelimg,
    "yolo darknet": yolo_darknet,
    "csv": table(
        ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax", "split"),
        lambda s, b: [s.file, s.width, s.height, b[4], *b[:4], s.split],
    ),
    "csv x y w h": table(
        ("image", "label", "x", "y", "w", "h", "subset"),
        lambda s, b: [s.file, b[4], b[0], b[1], b[2] - b[0], b[3] - b[1], s.split],
        "boxes.csv",
    ),
    "csv wheat": wheat,
    "openimages": openimages,
    "labelme": labelme,
    "label studio": label_studio,
    "cvat": cvat,
    "datumaro": datumaro,
    "edge impulse": edge_impulse,
    "kitti": kitti,
    "zip": zipped(yolo("images/{split}", "labels/{split}", "images/{split}")),
    "zip coco": zipped(coco("annotations/instances_{split}.json", "images/{split}")),
}
