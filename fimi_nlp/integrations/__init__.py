"""The tagger inside other people's pipelines: one module and one extra for each library.

Nothing is imported here: each module is imported by name, and checks for its extra.

======================================  ================================================================
``fimi_nlp.integrations.sklearn``       `NarrativeClassifier`, `NarrativeEmbedder`; extra ``sklearn``
``fimi_nlp.integrations.spacy``         the factory ``fimi_narratives``; extra ``spacy``
``fimi_nlp.integrations.pandas``        the accessor ``frame.fimi``; extra ``pandas``
``fimi_nlp.integrations.polars``        the namespace ``expression.fimi``; extra ``polars``
``fimi_nlp.integrations.arrow``         `tag_table`; extra ``parquet``
``fimi_nlp.integrations.ray``           `tag_dataset`, `tag_files`; extra ``ray``
``fimi_nlp.integrations.transformers``  `as_pipeline`; no extra
======================================  ================================================================

For ``datasets`` there is `fimi_nlp.Tagger.as_map_fn`.
"""
