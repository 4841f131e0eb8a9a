// Every page of the site in a real browser:
//   node tools/site/test/pages_test.mjs SITE
// SITE is the folder of the built site. Exit code: 0 no fault, 1 faults, one a line, 2 wrong use,
// 77 something is not installed.
import { fileURLToPath } from 'node:url';
import { launch, need, report, siteOf } from './browser.mjs';
import * as check from './checks.mjs';
import { serve } from './serve.mjs';

const readers = 2;  // pages at a time

// The pages that show a file are made by one template: axe-core reads one of each kind of file.
const kindsRead = new Set();
function isFirstOfItsKind(name) {
  const kind = /\.(\w+)\.html$/.exec(name)[1];
  if (kindsRead.has(kind)) return false;
  kindsRead.add(kind);
  return true;
}

async function readPage(page, watched, { address, isFile, forAxe, colours }) {
  const faults = [];
  const add = (where, found) => faults.push(...found.map((fault) => `${where}${fault}`));
  await check.open(page, address);
  const contents = await check.contents(page);
  for (const width of isFile ? check.widths.slice(0, 1) : check.widths) {
    await check.resize(page, width);
    add(`at ${width} px: `, await check.layoutFaults(page));
  }
  if (forAxe) {
    await check.keepOneOfEachColour(page);
    add(`in ${colours.now}: `, await check.axeFaults(page));
  }
  if (!isFile) {
    await check.changeColours(page);
    [colours.now, colours.other] = [colours.other, colours.now];
    add(`in ${colours.now}: `, await check.axeFaults(page, { colours: true }));
  }
  add('', contents.faults);
  add('', watched.take());
  return { ...contents, faults };
}

// {pages: name -> contents, faults}
export async function readSite(folder) {
  const server = await serve(folder);
  const names = check.pagesIn(folder);
  const waiting = [...names];
  const pages = new Map();
  const faults = [];
  await Promise.all(Array.from({ length: readers }, async () => {
    const browser = await launch();
    const page = await browser.newPage({ colorScheme: 'light' });
    const watched = check.watch(page, server.origin);
    const colours = { now: 'light', other: 'dark' };  // the choice is kept from page to page
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      const address = `${server.origin}/${name}`;
      const isFile = check.showsFile(name);
      const forAxe = !isFile || isFirstOfItsKind(name);
      const read = await readPage(page, watched, { address, colours, isFile, forAxe });
      pages.set(name, read);
      faults.push(...read.faults.map((fault) => `${name}: ${fault}`));
    }
    await browser.close();
  }));
  faults.push(...check.linkFaults(folder, server.origin, pages));
  server.close();
  return { pages, faults };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = siteOf(process.argv);
  await need();
  const { pages, faults } = await readSite(folder);
  report(faults, `${pages.size} pages`);
}
