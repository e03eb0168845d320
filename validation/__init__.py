"""The door of validation: suites in Great Expectations' format, and the gate that judges by them."""

from validation.builtin import BUILTIN_VERSION, builtin_suite
from validation.compiler import compile_suite
from validation.gate import Gate
from validation.rules.rule import Rule
from validation.suite import Expectation, Suite

__all__ = [
    "BUILTIN_VERSION",
    "Expectation",
    "Gate",
    "Rule",
    "Suite",
    "builtin_suite",
    "compile_suite",
]
