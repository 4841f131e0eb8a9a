// What holds of every page. A check returns sentences, one for each fault.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe } from './browser.mjs';

export const widths = [360, 800, 1400];
const height = 900;

export function pagesIn(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.html')).sort();
}

// A page that shows a file: one box of code, in the template and the colours of all the others.
export const showsFile = (name) => /\.\w+\.html$/.test(name);

// Notes what goes wrong while pages load; take() returns it and begins anew.
export function watch(page, origin) {
  let faults = [];
  const note = (text) => faults.push(text);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) note(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => note(`exception: ${error.message}`));
  page.on('requestfailed', (request) => note(`request failed: ${request.url()}`));
  page.on('request', (request) => {
    const isOwn = [`${origin}/`, 'data:', 'blob:'].some((own) => request.url().startsWith(own));
    if (!isOwn) note(`asks another host: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) note(`status ${response.status()}: ${response.url()}`);
  });
  return { take: () => faults.splice(0) };
}

// Until what was asked for is on the screen, and nothing moves any more.
export async function drawn(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    await frame();
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
  });
}

export async function open(page, address) {
  await page.goto(address, { waitUntil: 'load' });
  await page.evaluate(() => {  // what is folded is checked, too
    for (const folded of document.querySelectorAll('details')) folded.open = true;
    for (const image of document.images) image.loading = 'eager';
  });
  await drawn(page);
}

export async function resize(page, width) {
  await page.setViewportSize({ width, height });
  await drawn(page);
}

// {links, ids, faults}: where the page leads to, and what it offers, the recordings of the player as well;
// a picture has a text and is there.
export function contents(page) {
  return page.evaluate(() => ({
    title: document.title,
    links: [...document.querySelectorAll('a[href]')].map((link) => link.href),
    ids: [...document.querySelectorAll('[id]')].map((element) => element.id)
      .concat([...document.querySelectorAll('#recording option')].map((recording) => recording.value)),
    faults: [...document.images].flatMap((image) => [
      ...(image.naturalWidth ? [] : [`no picture: ${image.src}`]),
      ...(image.hasAttribute('alt') ? [] : [`picture without a text: ${image.src}`]),
    ]),
  }));
}

// Each link within the site leads to a file, and to an anchor in it. pages: name -> contents.
export function linkFaults(folder, origin, pages) {
  const faults = [];
  for (const [name, { links }] of pages) {
    for (const link of new Set(links)) {
      if (!link.startsWith(`${origin}/`)) continue;
      const url = new URL(link);
      const target = decodeURIComponent(url.pathname).slice(1).replace(/^$|\/$/, '$&index.html');
      const anchor = decodeURIComponent(url.hash.slice(1));
      if (!existsSync(join(folder, target))) {
        faults.push(`${name}: link leads nowhere: ${target}`);
      } else if (anchor && pages.has(target) && !pages.get(target).ids.includes(anchor)) {
        faults.push(`${name}: no anchor '${anchor}' in ${target}`);
      }
    }
  }
  return faults;
}

// Nothing is wider than the window, no text is cut, what scrolls can be reached by the keyboard.
export function layoutFaults(page) {
  return page.evaluate(() => {
    const shown = (element) => element.outerHTML.replace(/\s+/g, ' ').slice(0, 80);
    const faults = [];
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > room) {
      const widest = [...document.body.querySelectorAll('*')].reduce((one, other) =>
        other.getBoundingClientRect().right > one.getBoundingClientRect().right ? other : one);
      faults.push(`wider than the window by ${document.documentElement.scrollWidth - room}: ${shown(widest)}`);
    }
    for (const element of document.body.querySelectorAll('*')) {
      const style = getComputedStyle(element);
      if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const hides = element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1;
      if (!hides || style.display === 'inline') continue;
      const focusable = 'a[href], button, input, select, summary, [tabindex="0"]';
      if (['auto', 'scroll'].includes(style.overflowX)
          && !element.matches(focusable) && !element.querySelector(focusable)) {
        faults.push(`scrolls, and no key reaches it: ${shown(element)}`);
      }
      if (['hidden', 'clip'].includes(style.overflowX) && style.textOverflow !== 'ellipsis'
          && element.innerText?.trim()) {
        faults.push(`text is cut: ${shown(element)}`);
      }
    }
    return faults;
  });
}

// In a file that is shown, the lines that have no colour of their own are hidden: each is checked once.
export function keepOneOfEachColour(page) {
  return page.evaluate(() => {
    const seen = new Set();
    for (const line of document.querySelectorAll('.source .line')) {
      const fresh = [...line.querySelectorAll('[class]')].filter((word) => !seen.has(word.className));
      for (const word of fresh) seen.add(word.className);
      line.hidden = fresh.length === 0;
    }
  });
}

// colours: only what a change of the colours can change.
export async function axeFaults(page, { colours = false } = {}) {
  if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(axe);
  const violations = await page.evaluate(async (rules) => (await window.axe.run(document, {
    resultTypes: ['violations'], preload: false, ...(rules && { runOnly: rules }),
  })).violations.map(({ id, help, nodes }) => ({ id, help, node: nodes[0].html, count: nodes.length })),
  colours ? { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } : null);
  return violations.map(({ id, help, node, count }) =>
    `${id} (${count}): ${help}: ${node.replace(/\s+/g, ' ').slice(0, 120)}`);
}

// To the other colours, as a reader does it.
export async function changeColours(page) {
  const button = page.locator('form[data-md-component=palette] label:visible');
  if (await button.count() === 0) {
    const isDark = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
    await page.emulateMedia({ colorScheme: isDark ? 'light' : 'dark' });
  } else {
    await button.click();
  }
  await drawn(page);
}
