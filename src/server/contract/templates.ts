import { type Static, Type } from 'typebox';
import { Digest, strict, Time } from './common.ts';
import { replayMembers } from './replays.ts';

const TemplateName = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  description: 'Letters, digits and . _ -',
});
export const TemplateParams = strict({ name: TemplateName });

/** A replay's request but for its capture. */
export const TemplateRequestSchema = strict(replayMembers);

export const Template = strict(
  {
    name: TemplateName,
    request: TemplateRequestSchema,
    createdAt: Time,
    updatedAt: Time,
  },
  { $id: 'Template' },
);

/** What starts it. */
export const StartSchema = strict({ capture: Digest });

/** Kept under its name. */
export type TemplateRecord = Static<typeof Template> & { readonly id: string };
