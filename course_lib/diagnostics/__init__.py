"""Debugging: an audit of the data, a doctor of the model, monitors of its training. Built in chapter 4."""
from course_lib.diagnostics.causes import CAUSES
from course_lib.diagnostics.doctor import CHECKS, diagnose
from course_lib.diagnostics.findings import Finding, Report

__all__ = ["CAUSES", "CHECKS", "Finding", "Report", "diagnose"]
