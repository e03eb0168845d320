"""The door of validation: suites in Great Expectations' format, and the gate that judges by them."""

from validation.builtin import BUILTIN_VERSION, builtin_suite
from validation.compiler import CompiledSuite, compile_suite
from validation.gate import Gate
from validation.results import Result, SuiteResult
from validation.rules.rule import Measure, Rule
from validation.suite import Expectation, Suite

__all__ = [
    "BUILTIN_VERSION",
    "CompiledSuite",
    "Expectation",
    "Gate",
    "Measure",
    "Result",
    "Rule",
    "Suite",
    "SuiteResult",
    "builtin_suite",
    "compile_suite",
]
