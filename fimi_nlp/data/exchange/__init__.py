"""Corpora for annotation tools, and back: Label Studio and Argilla, without either being installed.

The label schema becomes a form of questions (`form`): which narratives, for each of them which sub-narrative, which
stance, which narratives the annotator is unsure of, and which were not looked at. Each tool has its own notation for
the form and for answers.
"""
