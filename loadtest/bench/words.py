"""The words that distinct prompts are made of; written for this, nobody's text."""

TASKS = [
    "write a python function that reads {thing} and returns the newest entry", "why does my program stop when it opens {thing}",
    "summarize {thing} in five sentences for {who}", "translate {thing} into Portuguese for {who}",
    "list every date and amount that stands in {thing}", "write a short poem about {thing} and {who}",
    "draft a friendly e-mail to {who} about {thing}", "how many ways are there to divide {thing} among {who}",
    "plan a weekend trip to {place} for {who}", "a simple recipe with {food} that {who} will like",
    "implement a small cache for {thing} in Go", "explain the error that appears when {who} saves {thing}",
    "put the main points of {thing} on one page", "how do I say that {thing} is late in Finnish",
    "turn {thing} into a table with one row for each order", "tell a story in which {who} find {thing} in {place}",
    "announce to {who} that the office in {place} moves", "solve for x where three x plus seven equals the size of {thing}",
    "which train goes to {place} before noon", "how long does {food} keep in the fridge", "thanks, {who} were happy with {thing}",
]
THINGS = ["the log file", "the quarterly report", "the customer list", "the old contract", "a blue notebook", "the minutes of Monday",
          "the delivery note", "the price table", "a torn map", "the test results", "the opening speech", "the list of repairs",
          "the budget draft", "the garden plan", "the sensor readings", "the timetable", "the photo archive", "the ticket queue"]
PEOPLE = ["my colleagues", "the new neighbours", "six guests", "the board", "two old friends", "the night shift", "our suppliers",
          "the choir", "first-year students", "the harbour crew", "my grandparents", "the support team", "the football club"]
PLACES = ["Oslo", "Lisbon", "a small island", "the mountains", "Tallinn", "the old harbour", "Bologna", "the lake district", "Ghent"]
FOODS = ["lentils", "leeks", "smoked fish", "pumpkin", "rye bread", "chestnuts", "red cabbage", "goat cheese", "apricots"]
DETAILS = [
    "It should be easy to read and need nothing installed.", "Please keep it short, nobody has much time today.",
    "The last version was not clear enough, so be precise.", "Some of the lines are empty and some have a comma too many.",
    "If anything is missing, say so at the end.", "We tried this twice last week and it did not work.",
    "Use plain words, since not everybody speaks English well.", "There are about four hundred of them, in no order.",
    "The first column is a date, the second one a name.", "It is for a meeting that begins at nine.",
    "Prices are in euros unless it says otherwise.", "Mention the weather only if it matters.",
]
REPORT = [
    "The team met in {place} and went through {thing} line by line.", "Of {n} orders, {m} arrived a day late, most of them from {place}.",
    "{who} asked for a second look at {thing} before the end of the month.", "The pump in hall {m} was replaced after {n} hours of work.",
    "Costs for {food} rose by {m} percent, which nobody had planned for.", "A visit to {place} is planned, with {who} as guides.",
    "The figures for {thing} were checked twice and differ by {m} units.", "Two of {who} will look after {thing} until spring.",
    "The road to {place} was closed for {m} days because of snow.", "It was agreed to order {n} boxes of {food} for the summer.",
    "Nobody could say where {thing} had been kept since the move.", "The survey among {who} had {n} answers, {m} of them without a name.",
]
CLOSINGS = ["Summarize the report above in five sentences.", "List all places and numbers that the text mentions.",
            "Translate the report into Spanish.", "Draft an e-mail to the board with what matters in it."]
