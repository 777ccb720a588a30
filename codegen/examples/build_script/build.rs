fn main() {
    microception_codegen::Convert::new("../../models/xception_lite/xlite_int8.tflite").in_build_script("model.rs");
}
