"""The door of validation: suites in Great Expectations' format, and the gate that judges by them."""

from validation.audits.consistency import check_consistency
from validation.audits.constraints import apply_constraints
from validation.audits.finding import Finding
from validation.audits.outliers import Outliers, detect_outliers
from validation.audits.reference import Reference
from validation.audits.report import AuditReport
from validation.builtin import BUILTIN_VERSION, builtin_suite
from validation.compiler import CompiledSuite, compile_suite
from validation.expectation import Expectation
from validation.experience import ExperienceReport, validate_experience
from validation.gate import Gate
from validation.results import Result, SuiteResult
from validation.rules.registered import register_rule
from validation.rules.rule import Measure, Rule
from validation.suite import Suite

__all__ = [
    "BUILTIN_VERSION",
    "AuditReport",
    "CompiledSuite",
    "Expectation",
    "ExperienceReport",
    "Finding",
    "Gate",
    "Measure",
    "Outliers",
    "Reference",
    "Result",
    "Rule",
    "Suite",
    "SuiteResult",
    "apply_constraints",
    "builtin_suite",
    "check_consistency",
    "compile_suite",
    "detect_outliers",
    "register_rule",
    "validate_experience",
]
