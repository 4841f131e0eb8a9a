"use strict";
// The search of the site, in the place of the theme's worker, whose messages it speaks. That one takes
// a colon for an operator and ranks a word of a title above a whole sentence; a reader types what
// an error message or the index by symptom says. Here: sentences first, then all words, then some.

const mostResults = 40;
const teaserLength = 300;
const marks = /[^\p{L}\p{N}_]+/gu;
let sections = [];

const plain = (text) => ` ${text.toLowerCase().replace(marks, " ").trim()}`;
const escape = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

function setUp(docs) {
  const pages = new Map();
  sections = docs.map(({ location, title, text }) => {
    const page = location.split("#")[0];
    const section = { location, title, text, isPage: location === page, page,
      plainTitle: plain(title), plainText: plain(text) };
    if (section.isPage) pages.set(page, section);
    return section;
  });
  for (const section of sections) section.page = pages.get(section.page) ?? section;
}

/** What the words tell apart: a rare one more than one that is everywhere. A word may go on. */
function weigh(words) {
  return words.map((word) => {
    const holders = sections.filter(({ plainTitle, plainText }) =>
      plainTitle.includes(` ${word}`) || plainText.includes(` ${word}`)).length;
    return { word, weight: Math.log(1 + sections.length / (1 + holders)) };
  });
}

function score(section, sentence, weighed) {
  // A page has the words of its sections as well, which are found themselves.
  const factor = section.isPage ? 0.5 : 1;
  let points = 0, found = 0;
  for (const { word, weight } of weighed) {
    const inTitle = section.plainTitle.includes(` ${word}`);
    const inText = section.plainText.includes(` ${word}`);
    if (inTitle || inText) ++found;
    points += weight * ((inTitle ? 2 : 0) + (inText ? 1 : 0));
  }
  if (found === weighed.length) points *= 4;
  if (section.plainTitle.includes(sentence)) points *= 8;
  else if (weighed.length > 1 && section.plainText.includes(sentence)) points *= 8;
  return points * factor;
}

function marked(text, words) {
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}_])(${words.join("|")})`, "giu");
  return escape(text).replace(pattern, "<mark data-md-highlight>$1</mark>");
}

/** The part of the text that has most of the words. */
function teaser(text, words) {
  const places = words.flatMap((word) =>
    [...text.toLowerCase().matchAll(new RegExp(`(?<![\\p{L}\\p{N}_])${word}`, "gu"))].map(({ index }) => index));
  const near = (place) => places.filter((other) => other >= place && other < place + 120).length;
  const best = places.reduce((one, other) => (near(other) > near(one) ? other : one), places[0] ?? 0);
  const start = best < 60 ? 0 : text.lastIndexOf(" ", best - 30) + 1;
  return `${start ? "... " : ""}${text.slice(start, start + teaserLength)}`;
}

function search(query) {
  const sentence = plain(query);
  const words = [...new Set(sentence.split(" ").filter(Boolean))];
  if (!words.length) return [];
  const weighed = weigh(words);
  const found = sections.map((section) => ({ section, points: score(section, sentence, weighed) }))
    .filter(({ points }) => points > 0)
    .sort((one, other) => other.points - one.points)
    .slice(0, mostResults);
  const groups = new Map();
  for (const { section, points } of found) {
    const { page } = section;
    if (!groups.has(page)) groups.set(page, page === section ? [] : [result(page, 0, words)]);
    groups.get(page).push(result(section, points, words));
  }
  return [...groups.values()].map((group) => group.sort((one, other) => other.score - one.score));
}

function result({ location, title, text, plainTitle, plainText }, points, words) {
  const has = (word) => plainTitle.includes(` ${word}`) || plainText.includes(` ${word}`);
  return { location, title: marked(title, words), text: marked(teaser(text, words), words), score: points,
    terms: Object.fromEntries(words.map((word) => [word, has(word)])) };
}

const messages = { setUp: 0, ready: 1, query: 2, result: 3 };  // the theme's
addEventListener("message", ({ data: { type, data } }) => {
  if (type === messages.setUp) {
    setUp(data.docs);
    postMessage({ type: messages.ready });
  } else if (type === messages.query) {
    postMessage({ type: messages.result, data: { items: search(data) } });
  }
});
