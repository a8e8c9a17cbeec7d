import type { MapDesk, MapEdit } from '../engine/map-desk.ts';
import { failureOf } from './failure.ts';
import type { Answered, AnswerTo, DoneEdit, MapQuestion } from './worker-protocol.ts';

/** Answers a question about maps. `edit` does an edit that was found to be one. */
export function answer(desk: MapDesk, question: MapQuestion, edit: (edit: MapEdit) => DoneEdit): Answered<MapQuestion> {
  try {
    return { found: find(desk, question, edit) };
  } catch (error) {
    return { error: failureOf(error) };
  }
}

function find(desk: MapDesk, question: MapQuestion, edit: (edit: MapEdit) => DoneEdit): AnswerTo<MapQuestion> {
  switch (question.ask) {
    case 'entry':
      return desk.entry(question.map, question.key) ?? null;
    case 'entries':
      return desk.entries(question.map, question.at, question.limit);
    default:
      return edit(desk.resolve(question.edit));
  }
}
