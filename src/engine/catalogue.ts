import type { Catalogue } from '../abi/catalogue.ts';
import { programTypes } from '../hooks/index.ts';
import { helpers } from '../runtime/helpers/index.ts';
import { kfuncs } from '../runtime/kfuncs/index.ts';
import { mapTypes } from '../runtime/maps/index.ts';

/** All that there is: what the verifier may know and the runners can run. */
export const catalogue: Catalogue = { helpers, kfuncs, mapTypes, programTypes };
