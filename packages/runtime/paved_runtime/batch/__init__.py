"""Whole files of rows, scored by a job of SageMaker's: before it their rows become lines, behind it the answers become files again.

Between the two, SageMaker's transform job asks the container's own server, which then gives every line an answer of its own
(`paved_runtime.line_by_line`). Nothing here holds more than some thousand rows.
"""
