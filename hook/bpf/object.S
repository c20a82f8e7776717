// The BPF object, in the program that loads it.
    .section .rodata
    .balign 8
    .global execseal_binding_object
    .global execseal_binding_object_end
execseal_binding_object:
    .incbin EXECSEAL_BINDING_OBJECT
execseal_binding_object_end:
    .section .note.GNU-stack,"",@progbits
