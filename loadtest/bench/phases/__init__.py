"""The phases, in the order they run. Each takes the Lab and returns its records; none of them judges."""
from . import answers, disturbed, floor, growth, llm, steady

PHASES = [
    ("answers", answers.answers), ("floor", floor.floor), ("ceiling", steady.ceiling), ("sustained", steady.sustained),
    ("connections", steady.connections), ("hits", steady.hits), ("reload", disturbed.reload), ("overload", disturbed.overload),
    ("overload_llm", llm.overload), ("drain", disturbed.drain), ("llm", llm.llm), ("llm_local", llm.local), ("growth", growth.growth),
    ("soak", disturbed.soak),
]
