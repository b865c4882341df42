"""The tagger inside other people's pipelines: one module and one extra for each library.

Nothing is imported here: each module is imported by name, and checks for its extra.

=================================  ====================================================================
``fimi_nlp.integrations.sklearn``  `NarrativeClassifier`, `NarrativeEmbedder`; extra ``sklearn``
=================================  ====================================================================
"""
