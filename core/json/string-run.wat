;; Finds where a run of string bytes ends, 32 bytes a step.
;;
;; A run goes on over plain bytes and over whole escapes of two bytes (\" \\ \/ \b \f \n \r \t). It ends at the
;; closing quote, at a control character, and at the backslash of any other escape: \u, one that JSON does not
;; know, or one that the end of the bytes cuts off.
;;
;; string-run.ts embeds this module compiled, and a test compiles this file and compares: after a change, the
;; failing test shows what to embed.
(module
  ;; One page. The caller writes the bytes to its start.
  (memory (export "memory") 1 1)

  ;; Looks at the bytes from $at to before $to, which is at most 65504.
  ;; Returns the place where the run ends, or $to; plus 0x10000 if there is a backslash up to that place, plus
  ;; 0x20000 if there is a byte above 0x7f before it.
  (func (export "end") (param $at i32) (param $to i32) (result i32)
    ;; The bytes of this step, and all the bytes of earlier steps laid over each other.
    (local $a v128) (local $b v128) (local $seen v128)
    ;; Bit n of these speaks of byte n of the step.
    (local $ends i32)        ;; a quote or a control character
    (local $backslashes i32)
    (local $code i32)        ;; see where it is set
    (local $escaped i32)     ;; the byte behind a backslash that begins an escape
    (local $stop i32)
    (local $before i32)      ;; all the bits below the lowest of $stop
    ;; 1 if the byte before this step begins an escape.
    (local $carry i32)
    ;; Not 0 if there was a backslash in an earlier step.
    (local $escapes i32)
    ;; Constants, in locals to keep them in registers.
    (local $two v128) (local $space v128) (local $slash v128)
    (local $nibble v128) (local $rows v128) (local $columns v128) (local $none v128)

    (local.set $two (i8x16.splat (i32.const 0x02)))
    (local.set $space (i8x16.splat (i32.const 0x20)))
    (local.set $slash (i8x16.splat (i32.const 0x5c)))
    (local.set $nibble (i8x16.splat (i32.const 0x0f)))
    ;; The second byte of an escape is one of 22 2f 5c 62 66 6e 72 74. Its upper half chooses the bit of its row
    ;; (2x: 1, 5x: 2, 6x: 4, 7x: 8); the entry of its lower half has the bits of all the rows with a byte there.
    (local.set $rows (v128.const i8x16 0 0 1 0 0 2 4 8 0 0 0 0 0 0 0 0))
    (local.set $columns (v128.const i8x16 0 0 13 0 8 0 4 0 0 0 0 0 2 0 4 1))

    ;; A control character behind the last byte, so that every run ends and the loop needs no bound.
    (i32.store8 (local.get $to) (i32.const 0))

    (loop $step
      (local.set $a (v128.load (local.get $at)))
      (local.set $b (v128.load offset=16 (local.get $at)))

      ;; With its bit 1 flipped the quote, 0x22, comes right behind the control characters, 0x00 to 0x1f.
      (local.set $ends (i32.or
        (i8x16.bitmask (i8x16.le_u (v128.xor (local.get $a) (local.get $two)) (local.get $space)))
        (i32.shl
          (i8x16.bitmask (i8x16.le_u (v128.xor (local.get $b) (local.get $two)) (local.get $space)))
          (i32.const 16))))
      (local.set $backslashes (i32.or
        (i8x16.bitmask (i8x16.eq (local.get $a) (local.get $slash)))
        (i32.shl (i8x16.bitmask (i8x16.eq (local.get $b) (local.get $slash))) (i32.const 16))))

      (if (i32.or (i32.or (local.get $ends) (local.get $backslashes)) (local.get $carry)) (then
        ;; Of backslashes in a row the first, third, fifth ... begin an escape, counted from the first that is not
        ;; escaped itself. Without a branch, by the subtraction that simdjson found (json_escape_scanner.h,
        ;; next_escape_and_terminal_code): $code gets the bits of the backslashes that begin an escape, and of
        ;; the byte behind a row if it is escaped.
        (local.set $code (i32.and (local.get $backslashes) (i32.xor (local.get $carry) (i32.const -1))))
        (local.set $code (i32.xor
          (i32.sub
            (i32.or (i32.shl (local.get $code) (i32.const 1)) (i32.const 0xaaaaaaaa))
            (local.get $code))
          (i32.const 0xaaaaaaaa)))
        (local.set $escaped
          (i32.xor (local.get $code) (i32.or (local.get $backslashes) (local.get $carry))))

        ;; Stop at an end that is not escaped, and at what is escaped but makes no escape of two bytes.
        (local.set $stop (i32.or
          (i32.and (local.get $ends) (i32.xor (local.get $escaped) (i32.const -1)))
          (i32.and (local.get $escaped) (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $none) (v128.and
              (i8x16.swizzle (local.get $rows)
                (v128.and (i16x8.shr_u (local.get $a) (i32.const 4)) (local.get $nibble)))
              (i8x16.swizzle (local.get $columns) (v128.and (local.get $a) (local.get $nibble))))))
            (i32.shl
              (i8x16.bitmask (i8x16.eq (local.get $none) (v128.and
                (i8x16.swizzle (local.get $rows)
                  (v128.and (i16x8.shr_u (local.get $b) (i32.const 4)) (local.get $nibble)))
                (i8x16.swizzle (local.get $columns) (v128.and (local.get $b) (local.get $nibble))))))
              (i32.const 16))))))

        (if (local.get $stop) (then
          ;; If the byte is escaped, the run has ended at the backslash before it.
          (if (i32.and (i32.shr_u (local.get $escaped) (i32.ctz (local.get $stop))) (i32.const 1)) (then
            (local.set $at (i32.sub (local.get $at) (i32.const 1)))))
          (local.set $at (i32.add (local.get $at) (i32.ctz (local.get $stop))))
          (local.set $before (i32.sub
            (i32.and (local.get $stop) (i32.sub (i32.const 0) (local.get $stop)))
            (i32.const 1)))
          (if (i32.or (local.get $escapes) (i32.and (local.get $backslashes) (local.get $before))) (then
            (local.set $at (i32.or (local.get $at) (i32.const 0x10000)))))
          ;; bitmask takes the highest bit of every byte.
          (if (i32.or
              (i8x16.bitmask (local.get $seen))
              (i32.and (local.get $before) (i32.or
                (i8x16.bitmask (local.get $a))
                (i32.shl (i8x16.bitmask (local.get $b)) (i32.const 16))))) (then
            (local.set $at (i32.or (local.get $at) (i32.const 0x20000)))))
          (return (local.get $at))))

        (local.set $carry
          (i32.shr_u (i32.and (local.get $code) (local.get $backslashes)) (i32.const 31)))
        (local.set $escapes (i32.or (local.get $escapes) (local.get $backslashes)))))

      (local.set $seen (v128.or (local.get $seen) (v128.or (local.get $a) (local.get $b))))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br $step))
    (unreachable)))
