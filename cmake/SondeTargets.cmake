# SPDX-License-Identifier: Apache-2.0
# One static library a folder. Its headers are reached as "folder/header.hpp" through an include root that holds this
# folder alone, and only by targets that link it: a wrong include does not compile.

# sonde_library(NAME DIR folder SOURCES a.cpp ... LINK sonde_base fmt::fmt ...)
#   DIR: path below src/, also the prefix of its includes ("sensors/packets" -> "sensors/packets/sensor.hpp").
function(sonde_library name)
  cmake_parse_arguments(ARG "" "DIR" "SOURCES;LINK" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/include-roots/${name})
  get_filename_component(parent ${root}/${ARG_DIR} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${ARG_DIR} ${root}/${ARG_DIR} SYMBOLIC)
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_include_directories(${name} PUBLIC ${root})
    target_link_libraries(${name} PUBLIC sonde_headers ${ARG_LINK})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${root})
    target_link_libraries(${name} INTERFACE sonde_headers ${ARG_LINK})
  endif()
endfunction()

# How libbpf's headers name the machine whose registers kprobe programs read (bpf_tracing.h).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(SONDE_BPF_ARCHITECTURE x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(SONDE_BPF_ARCHITECTURE arm64)
else()
  set(SONDE_BPF_ARCHITECTURE ${CMAKE_SYSTEM_PROCESSOR})
endif()

# sonde_bpf_object(NAME SOURCE x.bpf.c): compiles to NAME.bpf.o and gives library NAME with the symbols
#   NAME_object (first byte) and NAME_object_end, so that the program carries its BPF code with it.
function(sonde_bpf_object name source)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(assembly ${CMAKE_CURRENT_BINARY_DIR}/${name}_object.S)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${SONDE_BPF_CLANG} -target bpf -mcpu=v3 -D__TARGET_ARCH_${SONDE_BPF_ARCHITECTURE} -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter
            -MMD -MF ${object}.d -MT ${object}
            -I${PROJECT_SOURCE_DIR}/abi -I${PROJECT_SOURCE_DIR}/bpf -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
    COMMAND ${SONDE_LLVM_STRIP} -g ${object}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    DEPFILE ${object}.d
    COMMENT "BPF ${name}")
  file(CONFIGURE OUTPUT ${assembly} @ONLY CONTENT [[
	.section .rodata.@name@, "a"
	.balign 8
	.globl @name@_object, @name@_object_end
	.hidden @name@_object, @name@_object_end
@name@_object:
	.incbin "@object@"
@name@_object_end:
	.section .note.GNU-stack, "", @progbits
]])
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${object})
  add_library(${name} STATIC ${assembly})
endfunction()
