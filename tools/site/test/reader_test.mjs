// What a reader does with the site: searches, reads with large letters, has no mouse, prints, plays.
//   node tools/site/test/reader_test.mjs SITE
// Exit code: as pages_test.mjs.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, need, report, siteOf } from './browser.mjs';
import * as check from './checks.mjs';
import { serve } from './serve.mjs';

const longestWait = 20_000;  // milliseconds, for a page that never gets there
const index = 'docs/lessons/index.html';
const lesson = 'docs/lessons/11-no-bound.html';
const player = 'docs/player/index.html';

const folder = siteOf(process.argv);
await need();
const { origin, close } = await serve(folder);
const faults = [];

async function step(name, options, action) {
  const begin = performance.now();
  const browser = await launch(options);
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.setDefaultTimeout(longestWait);
  const watched = check.watch(page, origin);
  try {
    faults.push(...(await action(page) ?? []).map((fault) => `${name}: ${fault}`));
  } catch (error) {
    faults.push(`${name}: ${error.message.split('\n')[0]}`);
  }
  faults.push(...watched.take().map((fault) => `${name}: ${fault}`));
  await browser.close();
  console.log(`${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

// Each symptom of the index, typed as it stands there, leads to its lesson or to the index.
async function search(page) {
  await check.open(page, `${origin}/${index}`);
  const symptoms = await page.$$eval('.md-content tr:has(td)', (rows) => rows.map((row) => ({
    words: row.cells[0].textContent.trim(),
    places: [...row.querySelectorAll('a')].map((link) => link.href.split('#')[0]),
  })).filter((row) => row.places.length));
  const found = [];
  if (symptoms.length < 27) found.push(`${symptoms.length} symptoms in ${index}, less than the lessons`);
  await page.keyboard.press('/');
  const type = async (words) => {
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Backspace');
    await page.waitForFunction(() => !document.querySelector('.md-search-result__item'));
    await page.keyboard.type(words);
  };
  for (const { words, places } of symptoms) {
    await type(words);
    const isFound = await page.waitForFunction((wanted) =>
      [...document.querySelectorAll('.md-search-result__item:nth-child(-n+3) a')]
        .some((link) => wanted.includes(link.href.split(/[?#]/)[0])), [`${origin}/${index}`, ...places])
      .catch(() => null);
    if (!isFound) found.push(`not among the first three: ${words}`);
  }
  await type('no such word: xyzzy');
  await type(symptoms[0].words);
  await page.waitForSelector('.md-search-result__item a');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === new URL(symptoms[0].places[0]).pathname);
  return found;
}

// Letters of twice the size: nothing is cut, nothing is wider than the window.
async function enlarge(page) {
  const found = [];
  for (const name of check.pagesIn(folder).filter((one) => !check.showsFile(one))) {
    await check.open(page, `${origin}/${name}`);
    const size = await page.evaluate(() => parseFloat(getComputedStyle(document.documentElement).fontSize));
    if (size < 32) found.push(`${name}: letters of ${size} px, asked for at least 32`);
    for (const width of [800, 1400]) {
      await check.resize(page, width);
      found.push(...(await check.layoutFaults(page)).map((fault) => `${name}: at ${width} px: ${fault}`));
    }
  }
  return found;
}

// With keys only: the skip link, the menu of a small window, a part of it, a page in that part.
async function withoutMouse(page) {
  await page.setViewportSize({ width: 360, height: 740 });
  await check.open(page, `${origin}/index.html`);
  const press = async (key, until) => {
    for (let times = 0; times < 200; ++times) {
      await page.keyboard.press(key);
      await check.drawn(page);
      if (await page.evaluate(until)) return;
    }
    throw new Error(`${key} never gets to ${until}`);
  };
  await press('Tab', () => document.activeElement.matches('.md-skip'));
  await press('Tab', () => document.activeElement.getAttribute('aria-label') === 'Menu');
  await page.keyboard.press('Enter');
  await press('Tab', () => document.activeElement.textContent.trim() === 'Walkthrough');
  await page.keyboard.press('Enter');
  await press('Tab', () => document.activeElement.href?.includes('/docs/03-'));
  const isSeen = await page.evaluate(() => {
    const box = document.activeElement.getBoundingClientRect();
    return document.activeElement.contains(document.elementFromPoint(box.x + 5, box.y + 5));
  });
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname.startsWith('/docs/03-'));
  return isSeen ? [] : ['the link that has the focus is covered'];
}

// Answers are on paper, open or not, and folded again after.
async function print(page) {
  await page.goto(`${origin}/${lesson}`);
  await page.evaluate(() => addEventListener('beforeprint', () => {
    window.foldedInPrint = document.querySelectorAll('details:not([open])').length;
  }));
  await page.pdf();
  const { inPrint, after } = await page.evaluate(() => ({
    inPrint: window.foldedInPrint, after: document.querySelectorAll('details:not([open])').length,
  }));
  const course = readFileSync(join(folder, 'course.pdf'), 'latin1');
  const count = Math.max(0, ...[...course.matchAll(/\/Count (\d+)/g)].map((match) => Number(match[1])));
  return [
    ...(inPrint === 0 ? [] : [`${inPrint} answers are not printed`]),
    ...(after > 0 ? [] : ['answers stay open after printing']),
    ...(count >= 100 ? [] : [`course.pdf has ${count} pages`]),
  ];
}

// Every recording to its last event by keys, questions answered and skipped in turn.
async function play(page) {
  if (!existsSync(join(folder, player))) {
    console.log(`player: skipped, the site has no ${player}`);
    return [];
  }
  await check.open(page, `${origin}/${player}`);
  const names = await page.$$eval('#recording option', (options) => options.map((one) => one.value));
  const found = names.length ? [] : ['no recording'];
  const state = () => page.evaluate(() => ({
    name: document.querySelector('#recording').value,
    now: Number(document.querySelector('#scrub').value),
    last: Number(document.querySelector('#scrub').max),
    isAsked: !document.querySelector('#question').hidden,
  }));
  for (const [number, name] of names.entries()) {
    if (number) await page.keyboard.press('n');
    let { name: shown, now, last } = await state();
    if (shown !== name || now !== 0) found.push(`${name}: 'n' leads to ${shown}, event ${now}`);
    await page.keyboard.press('Space');
    await page.waitForFunction(() => Number(document.querySelector('#scrub').value) > 0
      || !document.querySelector('#question').hidden);
    if (!(await state()).isAsked) await page.keyboard.press('Space');
    for (let presses = 0, asked = 0; now < last; ++presses) {
      const { isAsked } = await state();
      await page.keyboard.press(isAsked ? ['1', 's'][asked++ % 2] : 'ArrowRight');
      ({ now, last } = await state());
      if (presses > 3 * last + 30) {
        found.push(`${name}: stays at event ${now} of ${last}`);
        break;
      }
    }
    await page.keyboard.press('Home');
    await page.keyboard.press('End');
    for (let asked = 0; asked < 30 && (await state()).isAsked; ++asked) await page.keyboard.press('s');
    if ((await state()).now !== last) found.push(`${name}: End leads to event ${(await state()).now}`);
  }
  return found;
}

await Promise.all([
  step('search', {}, search).then(() => step('print', {}, print)).then(() => step('player', {}, play))
    .then(() => step('no mouse', {}, withoutMouse)),
  step('large letters', { fontSize: 32 }, enlarge),
]);
close();
report(faults, 'search, letters, keys, print and player');
