// The browser, and what ends a test early: 77 says that something is not installed.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const executable = process.env.SITE_CHROMIUM ?? '/usr/bin/chromium';
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function stop(code, message) {
  console.error(`site test: ${message}`);
  process.exit(code);
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
