"""Findings of the walk that do no harm, or none while a setting is no path, URL or expression.

Every line was read by hand. The key is where the finding stands and what it comes to; any other
finding, and one of these that stands elsewhere, keeps a class off the list.
"""

from __future__ import annotations

NO_TEXT = "no-text"
"""The setting must not be a string: as one it is a path or a URL."""

_MOTIONS = "|".join(f"cv2.MOTION_{name}" for name in ("AFFINE", "EUCLIDEAN", "HOMOGRAPHY", "TRANSLATION"))

Limits = dict[str, str]

REVIEWED: dict[tuple[str, str], Limits] = {
    # `type` of `nms`, which is evaluated: a name on the list (`WORDS`), as any `type`.
    ("mmcv.ops.nms.batched_nms", "builtins.eval"): {},
    # `type` of `roi_layer`, looked up in `mmcv.ops`: as above.
    (
        "mmdet.models.roi_heads.roi_extractors.base_roi_extractor.BaseRoIExtractor.build_roi_layers",
        "getattr by name on mmcv.ops",
    ): {},
    # Evaluates the value of a table plus "_classes()"; the setting is only looked up in it.
    ("mmseg.utils.class_names.get_classes", "builtins.eval"): {},
    ("mmdet.evaluation.functional.class_names.get_classes", "builtins.eval"): {},
    # A file of class weights, if it is a string.
    ("mmseg.models.losses.utils.get_class_weight", "numpy.load"): {"class_weight": NO_TEXT},
    ("mmseg.models.losses.utils.get_class_weight", "mmengine.fileio.io.load"): {"class_weight": NO_TEXT},
    (
        "mmdet.models.task_modules.tracking.camera_motion_compensation.CameraMotionCompensation.__init__",
        "builtins.eval",
    ): {"warp_mode": _MOTIONS},
    # The weights of a part that does not belong to the state dict; none are loaded without.
    (
        "mmdet.models.task_modules.tracking.aflink.AppearanceFreeLink.__init__",
        "mmengine.runner.checkpoint.load_checkpoint",
    ): {"checkpoint": NO_TEXT},
}

# An attribute of torch by name, which is handed on as a dtype and never called.
REVIEWED[
    "mmengine.optim.optimizer.amp_optimizer_wrapper.AmpOptimWrapper.__init__", "getattr by name on torch"
] = {}

_KD = "mmdet.models.detectors.kd_one_stage.KnowledgeDistillationSingleStageDetector.__init__"
for _sink in ("mmengine.config.config.Config", "pathlib.Path"):
    REVIEWED[_KD, _sink] = {"teacher_config": NO_TEXT}
for _where in (_KD, "mmdet.models.detectors.lad.LAD.__init__"):
    REVIEWED[_where, "mmengine.runner.checkpoint.load_checkpoint"] = {"teacher_ckpt": NO_TEXT}

# GLIP and Grounding DINO: a tokenizer and a language model of Hugging Face, by name.
_BERT = "mmdet.models.language_models.bert"
_FUSION = "mmdet.models.dense_heads.atss_vlfusion_head"
for _name in ("BertModel.__init__", "BertEncoder.__init__"):
    for _sink in ("AutoTokenizer", "BertConfig", "HFBertModel"):
        REVIEWED[f"{_BERT}.{_name}", f"missing {_BERT}.{_sink}"] = {"name": "bert-base-uncased"}
REVIEWED[f"{_FUSION}.VLFusionModule.__init__", f"missing {_FUSION}.BertConfig"] = {
    "lang_model_name": "bert-base-uncased"
}
# nltk looks for its tables, and would fetch them, where a caption is given; a rung gives none.
REVIEWED["mmdet.models.detectors.glip.find_noun_phrases", "missing nltk"] = {}

# Data sets read files, that is what they are for: lists of names as text, images, annotations. What
# `load` would unpickle is none of these. `EvaluationConfig` refuses URLs, and the wall a network.
_BASE = "mmengine.dataset.base_dataset.BaseDataset"
_CLIENT = "mmengine.fileio.file_client.FileClient"
_SEG = "mmseg.datasets.basesegdataset"
for _where, _sink in (
    (f"{_BASE}._load_metainfo", "mmengine.config.config.Config"),  # `isinstance`
    (f"{_BASE}._load_metainfo", "mmengine.fileio.parse.list_from_file"),
    (f"{_BASE}._serialize_data", "_pickle.dumps"),
    (f"{_BASE}._join_prefix", "mmengine.fileio.io.join_path"),
    (f"{_BASE}.get_data_info", "_pickle.loads"),  # of what `_serialize_data` made
    (f"{_BASE}.parse_data_info", "mmengine.fileio.io.join_path"),
    (f"{_SEG}.BaseSegDataset.load_data_list", "mmengine.fileio.io.list_dir_or_file"),
    (f"{_SEG}.BaseSegDataset.load_data_list", "mmengine.fileio.parse.list_from_file"),
    (f"{_SEG}.BaseCDDataset.load_data_list", "mmengine.fileio.io.list_dir_or_file"),
    (f"{_SEG}.BaseCDDataset.load_data_list", "mmengine.fileio.parse.list_from_file"),
    # Releases before mmengine 0.8 ask a `FileClient`; `backend` is checked as above.
    (f"{_SEG}.BaseSegDataset.__init__", _CLIENT),
    ("mmcv.transforms.loading.LoadAnnotations.__init__", _CLIENT),
    ("mmcv.transforms.loading.LoadImageFromFile.__init__", _CLIENT),
    ("mmseg.datasets.nyu.NYUDataset.load_data_list", "mmengine.fileio.io.list_dir_or_file"),
    ("mmseg.datasets.chase_db1.ChaseDB1Dataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.drive.DRIVEDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.refuge.REFUGEDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.stare.STAREDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.isaid.iSAIDDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.hrf.HRFDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.voc.PascalVOCDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.pascal_context.PascalContextDataset.__init__", "mmengine.fileio.io.exists"),
    ("mmseg.datasets.pascal_context.PascalContextDataset59.__init__", "mmengine.fileio.io.exists"),
):
    REVIEWED[_where, _sink] = {}
for _metric in ("iou_metric.IoUMetric", "citys_metric.CityscapesMetric", "depth_metric.DepthMetric"):
    REVIEWED[f"mmseg.evaluation.metrics.{_metric}.__init__", "mmengine.utils.path.mkdir_or_exist"] = {
        "output_dir": NO_TEXT
    }

# Images and annotations, as bytes. The classes give `decode_backend` on; with `pickle` as its value
# they are unpickled.
_IMAGES = "mmcv.image.io.imfrombytes"
_BYTES = "mmengine.fileio.io.get"
_LOADING = "mmseg.datasets.transforms.loading"
_DECODE = "mmseg.utils.io.datafrombytes"
for _where, _sink in (
    ("mmcv.transforms.loading.LoadAnnotations._load_seg_map", _IMAGES),
    ("mmcv.transforms.loading.LoadAnnotations._load_seg_map", _BYTES),
    ("mmcv.transforms.loading.LoadAnnotations._load_seg_map", _CLIENT),
    ("mmcv.transforms.loading.LoadImageFromFile.transform", _IMAGES),
    ("mmcv.transforms.loading.LoadImageFromFile.transform", _BYTES),
    ("mmcv.transforms.loading.LoadImageFromFile.transform", _CLIENT),
    ("mmdet.datasets.transforms.loading.LoadAnnotations._load_seg_map", _IMAGES),
    ("mmdet.datasets.transforms.loading.LoadAnnotations._load_seg_map", _BYTES),
    ("mmdet.datasets.transforms.loading.LoadMultiChannelImageFromFiles.transform", _IMAGES),
    ("mmdet.datasets.transforms.loading.LoadMultiChannelImageFromFiles.transform", _BYTES),
    (f"{_LOADING}.LoadAnnotations._load_seg_map", _IMAGES),
    (f"{_LOADING}.LoadAnnotations._load_seg_map", _BYTES),
    (f"{_LOADING}.LoadBiomedicalAnnotation.transform", _BYTES),
    (f"{_LOADING}.LoadBiomedicalData.transform", _BYTES),
    (f"{_LOADING}.LoadBiomedicalImageFromFile.transform", _BYTES),
    (f"{_LOADING}.LoadDepthAnnotation.transform", _BYTES),
    (_DECODE, "gzip.open"),  # of bytes
    (_DECODE, "numpy.load"),  # of bytes; it unpickles none unless asked to
    (_DECODE, "missing nibabel.FileHolder"),
    (_DECODE, "missing nibabel.Nifti1Image"),
    # A variable of the name `code`, which is a module's, too: a number of OpenCV's.
    ("mmcv.image.colorspace.convert_color_factory.<locals>.convert_color", "builtins.int()"),
):
    REVIEWED[_where, _sink] = {}
REVIEWED[_DECODE, "_pickle.loads"] = {"decode_backend": "cv2|nifti|numpy"}
# `cv2.imwrite` into the folder.
REVIEWED[
    "mmseg.evaluation.metrics.depth_metric.DepthMetric.process", "builtins.builtin_function_or_method()"
] = {"output_dir": NO_TEXT}

WORDS = {
    "op": (
        "nms",
        "nms_match",
        "nms_quadri",
        "nms_rotated",
        "soft_nms",  # mmcv.ops, by `eval`
        "CornerPool",
        "DeformRoIPool",
        "DeformRoIPoolPack",
        "ModulatedDeformRoIPoolPack",
        "PrRoIPool",
        "RiRoIAlignRotated",
        "RoIAlign",
        "RoIAlignRotated",
        "RoIPool",
        "SimpleRoIAlign",  # mmcv.ops, by `getattr`
        "conv",
        "interpolation_conv",
        "last_conv",  # FPG
        "dilation",
        "offset",  # StageCascadeRPNHead
    )
}
"""Values of `type` that are no registered class: what takes them, compares or looks them up."""
