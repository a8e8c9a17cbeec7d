import { kfunc } from './define.ts';

const GENERIC = 'xdp sched_cls cgroup_skb';
const PUSH = 'list-head new-list-node unchecked number';
const POP = 'acquires under-lock';

/** Objects that programs allocate, and lists and trees of them. */
export const graphKfuncs = [
  kfunc('obj_new_impl', GENERIC, 'type-id unchecked', 'new-object?', 'acquires'),
  kfunc('obj_drop_impl', GENERIC, 'owned unchecked', 'void', 'releases'),
  kfunc('refcount_acquire_impl', GENERIC, 'refcounted unchecked', 'same-object', 'acquires under-lock'),
  kfunc('list_push_front_impl', GENERIC, PUSH, 'integer', 'gives-away under-lock'),
  kfunc('list_push_back_impl', GENERIC, PUSH, 'integer', 'gives-away under-lock'),
  kfunc('list_pop_front', GENERIC, 'list-head', 'element?', POP),
  kfunc('list_pop_back', GENERIC, 'list-head', 'element?', POP),
  kfunc('list_front', GENERIC, 'list-head', 'borrowed-element?', 'under-lock'),
  kfunc('list_back', GENERIC, 'list-head', 'borrowed-element?', 'under-lock'),
  kfunc(
    'rbtree_add_impl',
    GENERIC,
    'tree-root new-tree-node order unchecked number',
    'integer',
    'gives-away under-lock',
  ),
  kfunc('rbtree_remove', GENERIC, 'tree-root tree-node', 'element?', POP),
  kfunc('rbtree_first', GENERIC, 'tree-root', 'borrowed-element?', 'under-lock'),
  kfunc('rbtree_root', GENERIC, 'tree-root', 'borrowed-element?', 'under-lock'),
  kfunc('rbtree_left', GENERIC, 'tree-root tree-node', 'borrowed-element?', 'under-lock'),
  kfunc('rbtree_right', GENERIC, 'tree-root tree-node', 'borrowed-element?', 'under-lock'),
];
