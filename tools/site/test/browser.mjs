// The browser, and what ends a test early: 77 says that something is not installed.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const executable = process.env.SITE_CHROMIUM ?? '/usr/bin/chromium';
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function stop(code, message) {
  console.error(`site test: ${message}`);
  process.exit(code);
}

// The folder of the built site, the only argument.
export function siteOf([, script, folder, ...more]) {
  if (!folder || more.length) stop(2, `usage: ${basename(script)} SITE, the folder of the built site`);
  if (!existsSync(join(folder, 'index.html'))) {
    stop(77, `skipped: no site in ${folder}: cmake --build --preset release --target site`);
  }
  return folder;
}

export function report(faults, what) {
  for (const fault of faults) console.log(fault);
  console.log(`site: ${what}, ${faults.length} faults`);
  process.exit(faults.length ? 1 : 0);
}

let chromium;
export let axe;

export async function need() {
  if (!existsSync(executable)) stop(77, `skipped: no ${executable}. On Debian: tools/setup.sh --site`);
  const require = createRequire(import.meta.url);
  try {
    ({ chromium } = require('playwright-core'));
    axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  } catch {
    stop(77, 'skipped: no playwright-core or axe-core. Once, with a network: npm ci --prefix tools/site');
  }
}

// A browser with a profile of its own. fontSize: the one that its reader chose, in pixels.
export async function launch({ fontSize = 16 } = {}) {
  return chromium.launch({
    executablePath: executable,
    args: [...flags, `--blink-settings=defaultFontSize=${fontSize},defaultFixedFontSize=${fontSize - 3}`],
  });
}
