// What somebody wants to do comes before what a name means: how-tos and tutorials rise, then explanations, then backends.
// A heading of the reference that is the very name that was asked for, such as RetryConfig or stream_chat, comes first.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, title, , , score, , kind]) => {
    const heading = title.split(" > ").pop();
    const isName = /^(\w+[._]\w|[A-Z]\w*[A-Z])[\w.]*$/.test(heading);
    if (kind === "title" && page.startsWith("_generated/") && isName && score >= 15) return score + 20;
    const rises = [[/^(howto|tutorial)\/(?!index$)/, 12], [/^explanation\/(?!index$)/, 8], [/^_generated\/backends\//, 4]];
    return score + (rises.find(([pattern]) => pattern.test(page)) ?? [null, 0])[1];
  },
};
