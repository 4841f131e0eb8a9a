// The test of the pages can fail: a small site, each of its pages with one fault, and one without.
// Exit code: 0 each fault is found and nothing else, 1 not, 77 something is not installed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { need, report } from './browser.mjs';
import { readSite } from './pages_test.mjs';

const svg = (size) => `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='${size}' height='9'/>`;
const wide = '<td>a cell with many words, none of which may break</td>'.repeat(9);

// name -> [body, what is said of it]
const pages = {
  clean: [`<a href="index.html">home</a> <img alt="a line" src="${svg(9)}">
    <div tabindex="0" role="group" aria-label="Table" style="overflow-x: auto">
    <table><tr style="white-space: nowrap">${wide}</tr></table></div>`, null],
  link: ['<a href="nowhere.html">a page</a>', /link leads nowhere: nowhere\.html/],
  anchor: ['<a href="clean.html#nowhere">a place</a>', /no anchor 'nowhere' in clean\.html/],
  picture: ['<img alt="a picture" src="nowhere.svg">', /status 404: .*nowhere\.svg/],
  text: [`<img src="${svg(9)}">`, /picture without a text/],
  console: ['<script>console.error("so it says")</script>', /console error: so it says/],
  exception: ['<script>throw Error("thrown")</script>', /exception: thrown/],
  host: ['<script>fetch("http://127.0.0.2:9/").catch(() => {})</script>', /asks another host: http:\/\/127\.0\.0\.2/],
  width: [`<table><tr style="white-space: nowrap">${wide}</tr></table>`, /at 360 px: wider than the window/],
  scroll: [`<div style="overflow-x: auto"><table><tr style="white-space: nowrap">${wide}</tr></table></div>`,
    /at 360 px: scrolls, and no key reaches it/],
  cut: [`<p style="overflow: hidden; white-space: nowrap">${wide.replace(/<[^>]*>/g, '')}</p>`,
    /at 360 px: text is cut/],
  light: ['<p class="pale">pale in light</p>', /in light: color-contrast/],
  dark: ['<p class="dim">dim in the dark</p>', /in dark: color-contrast/],
  button: ['<button type="button"></button>', /button-name/],
};

const page = (name, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${name}</title><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark } body { background: light-dark(#fff, #111) } a { color: light-dark(#00e, #9bf) } .pale { color: #aaa }
.dim { color: #000 } @media (prefers-color-scheme: dark) { .dim { color: #444 } }</style></head>
<body><main><h1>${name}</h1>${body}</main></body></html>`;

await need();
const folder = mkdtempSync(join(tmpdir(), 'site-faults-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const [name, [body]] of Object.entries(pages)) {
  writeFileSync(join(folder, `${name}.html`), page(name, body));
}
writeFileSync(join(folder, 'index.html'), page('index', '<p>home</p>'));

const { faults } = await readSite(folder);
const wrong = [];
for (const [name, [, expected]] of Object.entries(pages)) {
  const said = faults.filter((fault) => fault.startsWith(`${name}.html: `));
  if (expected && !said.some((fault) => expected.test(fault))) {
    wrong.push(`not found: ${name} (${expected}), but: ${said.join('; ') || 'nothing'}`);
  }
  if (!expected && said.length) wrong.push(`found where nothing is: ${said.join('; ')}`);
}
report(wrong, `${Object.keys(pages).length} pages with known faults`);
